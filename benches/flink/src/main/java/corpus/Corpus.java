package corpus;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;

/**
 * Runs Sluice's corpus of SQL, {@code tests/slt/*.slt}, on Flink, and prints where the results differ.
 *
 * <pre>
 * Corpus [--all] FILE...
 * </pre>
 *
 * <p>Files are read, and values printed and sorted, as {@code tests/tests/it/corpus} does it: one environment for each
 * file, in streaming mode until a SET says otherwise. Errors are equal where both sides have one, whatever they say.
 * Where the rows are the same but for their order, that is told apart: the rows of a stream, and of a table without
 * ORDER BY, have none. What Flink cannot run here, for want of a connector or a format, is counted with its reason.
 * With {@code --all}, the errors and the results of all records are printed. The exit code is 0 unless the program
 * itself fails.
 *
 * <pre>
 * ./build.sh
 * java -Xmx2g -cp 'target/nexmark-flink-1.jar:target/lib/*' corpus.Corpus ../../tests/slt/*.slt
 * </pre>
 */
public final class Corpus {
    /** Longer than the cluster needs for any query of the corpus. */
    private static final long TIMEOUT_SECONDS = 180;

    /** Planning recurses deeper than the stack of a thread. */
    private static final long STACK_SIZE = 32L << 20;

    private static final Pattern CREATE = Pattern.compile(
            "(?is)^CREATE\\s+(?:OR\\s+REPLACE\\s+)?(?:TEMPORARY\\s+)?(?:TABLE|VIEW)\\s+"
                    + "(?:IF\\s+NOT\\s+EXISTS\\s+)?`?([\\w.]+)`?.*");
    private static final Pattern ABSENT =
            Pattern.compile("Could not find any (?:factory|format factory) for identifier '([^']+)'");
    private static final Pattern CLIENT_ONLY = Pattern.compile(
            "(?is)^(SHOW\\s+JOBS|DESCRIBE\\s+JOB|STOP\\s+JOB|REMOVE\\s+JAR|BEGIN\\s+STATEMENT|END\\b|SET\\s*$).*");

    private static final Pattern CHANGE = Pattern.compile("(?is)^(ALTER|UNLOAD)\\s.*");

    private final boolean printsAll;
    private final Map<Verdict, Integer> counts = new EnumMap<>(Verdict.class);
    private final Map<String, Integer> reasons = new TreeMap<>();
    private final ExecutorService worker =
            Executors.newSingleThreadExecutor(work -> new Thread(null, work, "records", STACK_SIZE));

    private Corpus(boolean printsAll) {
        this.printsAll = printsAll;
    }

    public static void main(String[] arguments) throws Exception {
        List<String> files = new ArrayList<>(Arrays.asList(arguments));
        boolean printsAll = files.remove("--all");
        if (files.isEmpty()) {
            System.err.println("usage: Corpus [--all] FILE...");
            System.exit(2);
        }
        Corpus corpus = new Corpus(printsAll);
        try (MiniCluster cluster = startCluster()) {
            for (String file : files) {
                corpus.run(Path.of(file), cluster);
            }
        }
        corpus.printCounts();
        System.exit(0);
    }

    private static MiniCluster startCluster() throws Exception {
        Configuration configuration = new Configuration();
        configuration.setString("taskmanager.memory.managed.size", "512m");
        configuration.setString("taskmanager.memory.network.min", "64m");
        configuration.setString("taskmanager.memory.network.max", "64m");
        configuration.setString("rest.port", "0");
        MiniCluster cluster = new MiniCluster(new MiniClusterConfiguration.Builder()
                .setConfiguration(configuration)
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(2)
                .withRandomPorts()
                .build());
        cluster.start();
        return cluster;
    }

    private void run(Path file, MiniCluster cluster) throws Exception {
        Session session = new Session(cluster);
        // Tables and views that are not there in Flink, and why.
        Map<String, String> missing = new HashMap<>();
        for (Record record : Record.read(file)) {
            Result result = check(session, record, missing);
            counts.merge(result.verdict, 1, Integer::sum);
            noteMissing(record, result, missing);
            if (result.verdict == Verdict.NOT_RUN) {
                reasons.merge(result.text.lines().findFirst().orElse(""), 1, Integer::sum);
            }
            if (printsAll || result.verdict != Verdict.EQUAL && result.verdict != Verdict.BOTH_REFUSE) {
                String head = file.getFileName() + ":" + record.line() + ": " + result.verdict.text;
                System.out.printf("%s%n%s%n%s%n%n", head, indent(record.sql()), result.text.stripTrailing());
            }
        }
    }

    private static void noteMissing(Record record, Result result, Map<String, String> missing) {
        Matcher create = CREATE.matcher(record.sql());
        if (!create.matches()) {
            return;
        }
        String name = create.group(1).toLowerCase(Locale.ROOT);
        boolean isRefused = result.verdict == Verdict.NOT_RUN || result.verdict == Verdict.ONLY_SLUICE_RUNS;
        if (isRefused) {
            missing.put(name, "needs '" + create.group(1) + "' of line " + record.line());
        } else if (record.expected() instanceof Expected.Ok) {
            missing.remove(name);
        }
    }

    private Result check(Session session, Record record, Map<String, String> missing) throws InterruptedException {
        if (CLIENT_ONLY.matcher(record.sql()).matches()) {
            return new Result(Verdict.NOT_RUN, "a statement of the client or gateway");
        }
        // What Sluice does not change is to stay as it is for the records behind it.
        boolean isParsedOnly = record.expected() instanceof Expected.Error && CHANGE.matcher(record.sql()).matches();
        Future<Answer> answer = worker.submit((Callable<Answer>) () -> session.execute(record.sql(), isParsedOnly));
        try {
            return compare(record.expected(), answer.get(TIMEOUT_SECONDS, TimeUnit.SECONDS));
        } catch (TimeoutException late) {
            session.cancel();
            answer.cancel(true);
            return new Result(Verdict.NOT_RUN, "no end after " + TIMEOUT_SECONDS + " seconds");
        } catch (ExecutionException error) {
            return refused(record, messagesOf(error.getCause()), missing);
        }
    }

    private static Result refused(Record record, String messages, Map<String, String> missing) {
        Matcher absent = ABSENT.matcher(messages);
        boolean isError = record.expected() instanceof Expected.Error;
        if (absent.find() && !record.sql().contains("'no-such'") && !isError) {
            return new Result(Verdict.NOT_RUN, "Flink has no '" + absent.group(1) + "' here\n" + messages);
        }
        for (var entry : missing.entrySet()) {
            if (messages.contains("Object '" + entry.getKey() + "' not found")) {
                return new Result(Verdict.NOT_RUN, entry.getValue() + "\n" + messages);
            }
        }
        String text = "  Sluice: " + record.expected().text() + "\n  Flink refuses: " + messages;
        return new Result(isError ? Verdict.BOTH_REFUSE : Verdict.ONLY_SLUICE_RUNS, text);
    }

    private static Result compare(Expected expected, Answer answer) {
        if (expected instanceof Expected.Error) {
            String text = "  Sluice: " + expected.text() + "\n  Flink: " + answer.types() + "\n" + rows(answer.rows());
            return new Result(Verdict.ONLY_FLINK_RUNS, text);
        }
        if (!(expected instanceof Expected.Rows rows)) {
            return new Result(Verdict.EQUAL, "");
        }
        List<String> actual = new ArrayList<>(answer.rows());
        if (rows.sorted()) {
            actual.sort(Corpus::compareBytes);
        }
        boolean hasTypes = rows.types().equals(answer.types());
        boolean hasRows = rows.rows().equals(actual);
        boolean isOtherOrder = !hasRows && sorted(rows.rows()).equals(sorted(actual));
        String head = "  Flink: " + answer.types() + " (" + answer.schema() + ")\n";
        String text = "  Sluice: " + rows.text() + head + rows(actual);
        Verdict ofRows = isOtherOrder ? Verdict.ORDER : Verdict.ROWS;
        return new Result(!hasRows ? ofRows : hasTypes ? Verdict.EQUAL : Verdict.TYPES, text);
    }

    private static List<String> sorted(List<String> rows) {
        return rows.stream().sorted(Corpus::compareBytes).toList();
    }

    /** Rust sorts texts by their UTF-8 bytes. */
    private static int compareBytes(String left, String right) {
        return Arrays.compareUnsigned(
                left.getBytes(StandardCharsets.UTF_8),
                right.getBytes(StandardCharsets.UTF_8));
    }

    /** Messages of an error and its causes, but for those that the ones before them contain. */
    private static String messagesOf(Throwable error) {
        List<String> messages = new ArrayList<>();
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            String message = String.valueOf(cause.getMessage()).strip();
            if (messages.stream().noneMatch(before -> before.contains(message))) {
                messages.add(cause.getClass().getSimpleName() + ": " + message);
            }
        }
        return messages.stream().map(Corpus::shortened).collect(Collectors.joining("\n    <- "));
    }

    /** Without the plans and the lists of tokens that some messages carry. */
    private static String shortened(String message) {
        int end = message.indexOf("\nWas expecting");
        String text = end < 0 ? message : message.substring(0, end);
        return text.length() > 500 ? text.substring(0, 500) + " …" : text;
    }

    private static String indent(String sql) {
        return "  " + sql.replace("\n", "\n  ");
    }

    static String rows(List<String> rows) {
        return rows.stream().map(row -> "    " + row + "\n").collect(Collectors.joining());
    }

    private void printCounts() {
        System.out.println("records: " + counts.values().stream().mapToInt(Integer::intValue).sum());
        counts.forEach((verdict, count) -> System.out.println("  " + verdict.text + ": " + count));
        reasons.forEach((reason, count) -> System.out.println("    not run, " + reason + ": " + count));
    }

    /** What comes of a record. */
    private enum Verdict {
        EQUAL("equal"),
        BOTH_REFUSE("both refuse"),
        ROWS("rows differ"),
        TYPES("types differ"),
        ORDER("order differs"),
        ONLY_SLUICE_RUNS("Flink refuses"),
        ONLY_FLINK_RUNS("Sluice refuses"),
        NOT_RUN("not run");

        private final String text;

        Verdict(String text) {
            this.text = text;
        }
    }

    private record Result(Verdict verdict, String text) {}
}
