package corpus;

import java.util.List;

/** What Flink returns: letters of the types, the types, and rows as texts. */
record Answer(String types, String schema, List<String> rows) {}
