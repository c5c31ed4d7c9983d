package nexmark;

import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;

/** The events of one split of a table. An event's values depend on its id alone. */
final class Generator {
    private static final String[] FIRST_NAMES = {
        "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"
    };
    private static final String[] LAST_NAMES = {
        "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"
    };
    private static final StringData[] CITIES = strings(
            "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland",
            "Bend", "Redmond", "Seattle", "Kent", "Cheyenne");
    private static final StringData[] STATES = strings("AZ", "CA", "ID", "OR", "WA", "WY");

    private final long baseTime;
    private final double delayMicros;
    private final long firstId;
    private final long events;
    private final Random random = new Random();
    private final Texts texts = new Texts();
    private long made;

    /** Split {@code split} of {@code of}, of which {@code made} events are made already. */
    Generator(Rules rules, int split, int of, long made) {
        long each = rules.maxEvents() / of;
        this.baseTime = rules.baseTime();
        this.delayMicros = 1_000_000.0 / rules.eventsPerSecond() * of;
        this.firstId = 2 + each * split;
        this.events = split == of - 1 ? rules.maxEvents() - each * (of - 1) : each;
        this.made = made;
    }

    long made() {
        return made;
    }

    boolean hasNext() {
        return made < events;
    }

    RowData next() {
        long event = made++;
        long id = firstId + event;
        long epoch = id / Rules.TOTAL;
        int offset = (int) (id % Rules.TOTAL);
        GenericRowData row = new GenericRowData(4);
        random.ofEvent(id);
        if (offset < Rules.PERSONS) {
            row.setField(0, 0);
            row.setField(1, person(epoch * Rules.PERSONS + offset, time(event)));
        } else if (offset < Rules.PERSONS + Rules.AUCTIONS) {
            row.setField(0, 1);
            row.setField(2, auction(epoch, epoch * Rules.AUCTIONS + offset - Rules.PERSONS, event));
        } else {
            row.setField(0, 2);
            row.setField(3, bid(epoch, time(event)));
        }
        return row;
    }

    private long time(long event) {
        return baseTime + (long) ((1 + event) * delayMicros) / 1_000;
    }

    private RowData person(long number, long time) {
        GenericRowData row = new GenericRowData(8);
        row.setField(0, number + Rules.FIRST_PERSON_ID);
        int size = 8;
        texts.start();
        texts.append(FIRST_NAMES[random.below(FIRST_NAMES.length)]);
        texts.append((byte) ' ');
        texts.append(LAST_NAMES[random.below(LAST_NAMES.length)]);
        size += texts.length();
        row.setField(1, texts.finish());
        texts.start();
        texts.word(random, 7, (byte) ' ');
        texts.append((byte) '@');
        texts.word(random, 5, (byte) ' ');
        texts.append(".com");
        size += texts.length();
        row.setField(2, texts.finish());
        texts.start();
        texts.creditCard(random);
        size += texts.length();
        row.setField(3, texts.finish());
        StringData city = CITIES[random.below(CITIES.length)];
        StringData state = STATES[random.below(STATES.length)];
        size += city.toBytes().length + state.toBytes().length;
        row.setField(4, city);
        row.setField(5, state);
        row.setField(6, TimestampData.fromEpochMillis(time));
        row.setField(7, Texts.extra(random, size, Rules.PERSON_SIZE));
        return row;
    }

    private RowData auction(long epoch, long number, long event) {
        long time = time(event);
        GenericRowData row = new GenericRowData(10);
        row.setField(0, number + Rules.FIRST_AUCTION_ID);
        row.setField(5, TimestampData.fromEpochMillis(time));
        long seller = Rules.drawPerson(random, Rules.lastPerson(epoch), Rules.HOT_SELLER_RATIO, 0);
        row.setField(7, seller + Rules.FIRST_PERSON_ID);
        row.setField(8, Rules.FIRST_CATEGORY_ID + random.below(Rules.CATEGORIES));
        long initialBid = Rules.price(random);
        row.setField(3, initialBid);
        long ahead = Rules.OPEN_AUCTIONS * Rules.TOTAL / Rules.AUCTIONS;
        long horizon = time(event + ahead) - time;
        row.setField(6, TimestampData.fromEpochMillis(time + 1 + random.longBelow(Math.max(horizon * 2, 1))));
        int size = 6 * 8;
        texts.start();
        texts.word(random, 20, (byte) ' ');
        size += texts.length();
        row.setField(1, texts.finish());
        texts.start();
        texts.word(random, 100, (byte) ' ');
        size += texts.length();
        row.setField(2, texts.finish());
        row.setField(4, initialBid + Rules.price(random));
        row.setField(9, Texts.extra(random, size, Rules.AUCTION_SIZE));
        return row;
    }

    private RowData bid(long epoch, long time) {
        GenericRowData row = new GenericRowData(7);
        long auction = Rules.drawAuction(random, Rules.lastAuction(epoch), Rules.HOT_AUCTION_RATIO);
        row.setField(0, auction + Rules.FIRST_AUCTION_ID);
        long bidder = Rules.drawPerson(random, Rules.lastPerson(epoch), Rules.HOT_BIDDER_RATIO, 1);
        row.setField(1, bidder + Rules.FIRST_BIDDER_ID);
        row.setField(2, Rules.price(random));
        texts.drawChannel(random);
        row.setField(3, texts.channel);
        row.setField(4, texts.url);
        row.setField(5, TimestampData.fromEpochMillis(time));
        row.setField(6, Texts.extra(random, 4 * 8, Rules.BID_SIZE));
        return row;
    }

    private static StringData[] strings(String... texts) {
        StringData[] strings = new StringData[texts.length];
        for (int i = 0; i < texts.length; i++) {
            strings[i] = StringData.fromBytes(texts[i].getBytes(java.nio.charset.StandardCharsets.UTF_8));
        }
        return strings;
    }
}
