package nexmark;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/**
 * Runs a job file on a cluster in this process, and prints what it took as one line of JSON.
 *
 * <pre>
 * Main checksum EVENTS TPS                      checksum of the first events
 * Main run FILE WARM_UP_FILE [KEY=VALUE]...     the warm-up first, then the file; settings as in a configuration file
 * </pre>
 */
public final class Main {
    private static final Pattern CHECKPOINT =
            Pattern.compile("\"id\":(\\d+),\"status\":\"COMPLETED\".*?\"end_to_end_duration\":(\\d+)");

    private final Configuration configuration = new Configuration();
    private final int restPort;
    private final boolean checkpoints;

    private Main(String[] settings) throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            restPort = socket.getLocalPort();
        }
        configuration.setString("rest.port", Integer.toString(restPort));
        // As the published runs of nexmark-flink are configured.
        configuration.setString("pipeline.object-reuse", "true");
        configuration.setString("table.exec.mini-batch.enabled", "true");
        configuration.setString("table.exec.mini-batch.allow-latency", "2 s");
        configuration.setString("table.exec.mini-batch.size", "50000");
        configuration.setString("table.optimizer.distinct-agg.split.enabled", "true");
        for (String setting : settings) {
            int at = setting.indexOf('=');
            configuration.setString(setting.substring(0, at), setting.substring(at + 1));
        }
        checkpoints = configuration.containsKey("execution.checkpointing.interval");
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 3 && arguments[0].equals("checksum")) {
            int rate = Integer.parseInt(arguments[2]);
            long sum = Checksum.of(new Rules(rate, Long.parseLong(arguments[1]), Rules.DEFAULT_BASE_TIME));
            System.out.printf("{\"checksum\":\"%016x\"}%n", sum);
        } else if (arguments.length >= 3 && arguments[0].equals("run")) {
            String[] settings = java.util.Arrays.copyOfRange(arguments, 3, arguments.length);
            Main main = new Main(settings);
            main.run(Path.of(arguments[2]));
            System.gc();
            System.out.println(main.run(Path.of(arguments[1])));
            System.exit(0);
        } else {
            System.err.println("usage: Main checksum EVENTS TPS | Main run FILE WARM_UP_FILE [KEY=VALUE]...");
            System.exit(2);
        }
    }

    /** What the job took from being planned and running to its end; the cluster's own start is not counted. */
    private String run(Path file) throws Exception {
        TableEnvironment tables = TableEnvironment.create(
                EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build());
        JobClient job = null;
        for (String statement : statements(Files.readString(file))) {
            var result = tables.executeSql(statement);
            if (statement.startsWith("INSERT")) {
                job = result.getJobClient().orElseThrow();
            }
        }
        if (job == null) {
            throw new IllegalArgumentException(file + " has no INSERT");
        }
        while (job.getJobStatus().get() == JobStatus.CREATED || job.getJobStatus().get() == JobStatus.INITIALIZING) {
            Thread.sleep(1);
        }
        long cpu = cpuNanos();
        long start = System.nanoTime();
        Map<Long, Long> durations = new TreeMap<>();
        Thread watch = checkpoints ? watch(job.getJobID().toHexString(), durations) : null;
        job.getJobExecutionResult().get();
        long wall = System.nanoTime() - start;
        cpu = cpuNanos() - cpu;
        if (watch != null) {
            watch.interrupt();
            watch.join();
        }
        return String.format(
                "{\"wall_seconds\":%.6f,\"cpu_seconds\":%.6f,\"peak_kib\":%d,\"checkpoint_millis\":%s}",
                wall / 1e9, cpu / 1e9, peakKib(), durations.values());
    }

    /** The statements of a file whose comments are whole lines and whose statements end with a line. */
    private static String[] statements(String text) {
        return text.replaceAll("(?m)^--.*\n?", "").strip().split(";\\s*(\n|$)\\s*");
    }

    private static long cpuNanos() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    private static long peakKib() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                return Long.parseLong(line.replaceAll("\\D", ""));
            }
        }
        return 0;
    }

    /** Notes the durations of checkpoints, by their number, until it is interrupted. */
    private Thread watch(String job, Map<Long, Long> durations) {
        URI address = URI.create("http://localhost:" + restPort + "/jobs/" + job + "/checkpoints");
        Thread thread = new Thread(() -> {
            HttpClient client = HttpClient.newHttpClient();
            try {
                while (true) {
                    Thread.sleep(200);
                    try {
                        String body = client.send(
                                        HttpRequest.newBuilder(address).build(), HttpResponse.BodyHandlers.ofString())
                                .body();
                        Matcher found = CHECKPOINT.matcher(body);
                        while (found.find()) {
                            durations.put(Long.valueOf(found.group(1)), Long.valueOf(found.group(2)));
                        }
                    } catch (IOException error) {
                        // The cluster goes away with its job.
                    }
                }
            } catch (InterruptedException end) {
                Thread.currentThread().interrupt();
            }
        });
        thread.setDaemon(true);
        thread.start();
        return thread;
    }
}
