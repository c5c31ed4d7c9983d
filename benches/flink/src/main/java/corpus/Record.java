package corpus;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** One statement and what it comes to. */
record Record(int line, String sql, Expected expected) {
    /** A record ends with an empty line; a heading or a comment is a line of its own. */
    static List<Record> read(Path file) {
        try {
            List<String> lines = Files.readAllLines(file);
            List<Record> records = new ArrayList<>();
            int at = 0;
            while (at < lines.size()) {
                String head = lines.get(at);
                int line = ++at;
                if (head.isEmpty() || head.startsWith("#")) {
                    continue;
                }
                while (at < lines.size() && !lines.get(at).isEmpty()) {
                    at++;
                }
                records.add(parse(file, line, head, lines.subList(line, at)));
            }
            return records;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static Record parse(Path file, int line, String head, List<String> block) {
        if (head.equals("statement ok")) {
            return new Record(line, String.join("\n", block), new Expected.Ok());
        }
        if (head.startsWith("statement error ")) {
            String part = head.substring("statement error ".length());
            return new Record(line, String.join("\n", block), new Expected.Error(part));
        }
        String[] words = head.split(" ");
        int end = block.indexOf("----");
        boolean isSorted = words.length == 3 && words[2].equals("rowsort");
        if (!words[0].equals("query") || end < 0 || words.length != (isSorted ? 3 : 2)) {
            throw new IllegalArgumentException(file + ":" + line + ": not a record");
        }
        List<String> rows = block.subList(end + 1, block.size()).stream()
                .map(row -> row.equals("(empty)") ? "" : row.stripTrailing())
                .toList();
        return new Record(
                line, String.join("\n", block.subList(0, end)), new Expected.Rows(words[1], isSorted, rows));
    }
}
