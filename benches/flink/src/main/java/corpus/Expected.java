package corpus;

import java.util.List;

/** What the corpus expects. */
interface Expected {
    String text();

    record Ok() implements Expected {
        @Override
        public String text() {
            return "no error";
        }
    }

    record Error(String part) implements Expected {
        @Override
        public String text() {
            return "error: " + part;
        }
    }

    record Rows(String types, boolean sorted, List<String> rows) implements Expected {
        @Override
        public String text() {
            return types + "\n" + Corpus.rows(rows);
        }
    }
}
