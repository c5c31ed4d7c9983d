package nexmark;

import java.io.Serializable;

/**
 * What the options of a table say, with the proportions, ratios and sizes that nexmark-flink has by default. The rules
 * are those of Sluice's connector; both sides print a checksum of their events.
 */
record Rules(int eventsPerSecond, long maxEvents, long baseTime) implements Serializable {
    /** 2015-07-15 00:00:00. */
    static final long DEFAULT_BASE_TIME = 1_436_918_400_000L;

    static final int PERSONS = 1;
    static final int AUCTIONS = 3;
    static final int BIDS = 46;
    static final int TOTAL = PERSONS + AUCTIONS + BIDS;

    static final int PERSON_SIZE = 200;
    static final int AUCTION_SIZE = 500;
    static final int BID_SIZE = 100;

    static final int HOT_AUCTION_RATIO = 2;
    static final int HOT_BIDDER_RATIO = 4;
    static final int HOT_SELLER_RATIO = 4;

    static final int HOT_SHARE = 100;
    static final int ID_LEAD = 10;
    static final int ACTIVE_PERSONS = 1_000;
    static final int OPEN_AUCTIONS = 100;

    static final long FIRST_PERSON_ID = 1_000;
    static final long FIRST_AUCTION_ID = 1_000;
    /** The first id is added twice, as nexmark-flink does. */
    static final long FIRST_BIDDER_ID = 2 * FIRST_PERSON_ID;
    static final long FIRST_CATEGORY_ID = 10;
    static final int CATEGORIES = 5;

    static long lastPerson(long epoch) {
        return epoch * PERSONS + PERSONS - 1;
    }

    static long lastAuction(long epoch) {
        return epoch * AUCTIONS + AUCTIONS - 1;
    }

    /** The hot person, which is the nth of its hundred, or any of the recent ones. */
    static long drawPerson(Random random, long last, int ratio, int nth) {
        if (random.below(ratio) > 0) {
            return last / HOT_SHARE * HOT_SHARE + nth;
        }
        long active = Math.min(last + 1, ACTIVE_PERSONS);
        return last + 1 - active + random.longBelow(active + ID_LEAD);
    }

    /** The hot auction, or any of the recent ones. */
    static long drawAuction(Random random, long last, int ratio) {
        if (random.below(ratio) > 0) {
            return last / HOT_SHARE * HOT_SHARE;
        }
        long least = Math.max(last - OPEN_AUCTIONS, 0);
        return least + random.longBelow(last - least + 1 + ID_LEAD);
    }

    static long price(Random random) {
        return Math.round(Math.pow(10, random.fraction() * 6) * 100);
    }
}
