# shellcheck shell=bash
#
# Apache Kafka: one node that is broker and controller, from the jars on Maven
# Central. There is no distribution archive there, hence no shell scripts of
# Kafka's own either; its classes are run directly.

# Any 16 bytes in base64 will do. Fixed, so that all instances look the same.
KAFKA_CLUSTER_ID=c2x1aWNlLXNlcnZpY2VzAA

# Named after what kafka-pom.xml says: when that changes, there is a new
# installation, and a broker that runs from the old one keeps its jars.
kafka_home() {
  say "$SOFTWARE_DIR/kafka-$(sha256sum <"$SCRIPTS_DIR/kafka-pom.xml" | cut -c1-12)"
}

kafka_installed() { [[ -e $(kafka_home)/complete && -x $(kafka_java) ]]; }

kafka_packages() {
  [[ -x $(kafka_java) ]] || say openjdk-17-jre-headless
  [[ -e $(kafka_home)/complete ]] || have_programs mvn || say maven
}

kafka_install() {
  local home work
  home=$(kafka_home)
  work=$home.new
  [[ ! -e $home/complete ]] || return 0
  rm -rf "$work" "$home"
  mkdir -p "$work"
  if ! mvn -B -f "$SCRIPTS_DIR/kafka-pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$work/libs" >"$work/maven.log" 2>&1; then
    grep -F ERROR "$work/maven.log" >&2 || true
    die "kafka: Maven could not fetch it (log: $work/maven.log)."
  fi
  chmod -R a+rX "$work"
  touch "$work/complete"
  mv "$work" "$home"
}

kafka_ports() { say "$KAFKA_PORT" "$KAFKA_CONTROLLER_PORT"; }

kafka_configure() {
  install -m 0644 "$SCRIPTS_DIR/kafka-log4j2.xml" "$1/log4j2.xml"
  kafka_properties "$1/data" >"$1/server.properties"
}

kafka_properties() {
  cat "$SCRIPTS_DIR/kafka.properties"
  cat <<EOF

listeners=PLAINTEXT://$SERVICES_HOST:$KAFKA_PORT,CONTROLLER://$SERVICES_HOST:$KAFKA_CONTROLLER_PORT
advertised.listeners=PLAINTEXT://$SERVICES_HOST:$KAFKA_PORT
controller.quorum.voters=1@$SERVICES_HOST:$KAFKA_CONTROLLER_PORT
log.dirs=$1
EOF
}

kafka_java() {
  if [[ -n ${JAVA_HOME:-} ]]; then say "$JAVA_HOME/bin/java"; else command -v java; fi
}

kafka_init() {
  kafka_properties "$2" >"$1/init.properties"
  as_server "$1" "$(kafka_java)" -cp "$(kafka_home)/libs/*" kafka.tools.StorageTool format \
    --cluster-id "$KAFKA_CLUSTER_ID" --config "$1/init.properties"
}

# sluice.data is read by nobody: service_pid knows the process by it.
kafka_start() {
  spawn "$1" "$(kafka_java)" -Xms256m -Xmx512m -Djava.io.tmpdir="$1/tmp" \
    -Dlog4j2.configurationFile="$1/log4j2.xml" -Dsluice.data="$1/data" \
    -cp "$(kafka_home)/libs/*" kafka.Kafka "$1/server.properties"
}

kafka_stop_signal() { say TERM; }

# Asks the broker for the cluster's metadata, and is content when that names a
# broker: then the broker has registered with its controller and takes
# requests. By hand, because a Java program would need seconds for it.
#   size 14 | Metadata (3) version 1 | correlation 1 | no client id | all topics
#   -> size | correlation | number of brokers | ...
kafka_answers() {
  local request='\0\0\0\x0e\0\x03\0\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff' reply
  # shellcheck disable=SC2016 # for the inner shell
  reply=$(timeout 5 bash -c '
    exec 3<>"/dev/tcp/$1/$2" && printf "$3" >&3 && head -c 12 <&3 | od -An -v -tx1 | tr -d " \n"
  ' - "$SERVICES_HOST" "$KAFKA_PORT" "$request" 2>/dev/null) || return 1
  [[ ${#reply} == 24 && ${reply:16} != 00000000 ]]
}

# For example: services.sh client kafka topics --list
kafka_client() {
  local tool=${1:-} class
  case $tool in
    topics) class=org.apache.kafka.tools.TopicCommand ;;
    configs) class=kafka.admin.ConfigCommand ;;
    consumer) class=org.apache.kafka.tools.consumer.ConsoleConsumer ;;
    producer) class=org.apache.kafka.tools.ConsoleProducer ;;
    groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
    *) die "name one of Kafka's tools: topics, configs, consumer, producer or groups." ;;
  esac
  shift
  "$(kafka_java)" -Xmx256m -XX:TieredStopAtLevel=1 -cp "$(kafka_home)/libs/*" "$class" \
    --bootstrap-server "$SERVICES_HOST:$KAFKA_PORT" "$@"
}
