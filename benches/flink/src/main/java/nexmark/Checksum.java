package nexmark;

import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;

/** FNV-1a over all fields of events: numbers and times (milliseconds) as eight bytes, texts behind their length. */
final class Checksum {
    /** Fields of persons, auctions and bids: a number, a time, or a text. */
    private static final String[] KINDS = {"lsssssts", "lssllttlls", "lllssts"};

    private long hash = 0xcbf29ce484222325L;

    static long of(Rules rules) {
        Checksum checksum = new Checksum();
        Generator generator = new Generator(rules, 0, 1, 0);
        while (generator.hasNext()) {
            checksum.add(generator.next());
        }
        return checksum.hash;
    }

    private void add(RowData row) {
        int type = row.getInt(0);
        add(type);
        RowData event = row.getRow(1 + type, KINDS[type].length());
        for (int i = 0; i < KINDS[type].length(); i++) {
            switch (KINDS[type].charAt(i)) {
                case 'l' -> add(event.getLong(i));
                case 't' -> {
                    TimestampData time = event.getTimestamp(i, 3);
                    add(time.getMillisecond());
                }
                default -> {
                    StringData text = event.getString(i);
                    byte[] bytes = text.toBytes();
                    add(bytes.length);
                    for (byte one : bytes) {
                        hash = (hash ^ (one & 0xff)) * 0x100000001b3L;
                    }
                }
            }
        }
    }

    private void add(long number) {
        for (int i = 0; i < 8; i++) {
            hash = (hash ^ (number & 0xff)) * 0x100000001b3L;
            number >>>= 8;
        }
    }
}
