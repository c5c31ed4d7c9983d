package nexmark;

/**
 * SplitMix64 with the draws of {@link java.util.SplittableRandom}; unlike that one it can be started again, so that
 * an event costs no object.
 */
final class Random {
    private static final long GOLDEN_GAMMA = 0x9e3779b97f4a7c15L;

    private long state;

    Random seeded(long seed) {
        state = seed;
        return this;
    }

    /** The generator of one event. */
    void ofEvent(long id) {
        state = mix64(id);
    }

    long nextLong() {
        return mix64(state += GOLDEN_GAMMA);
    }

    int nextInt() {
        long bits = state += GOLDEN_GAMMA;
        bits = (bits ^ (bits >>> 33)) * 0x62a9d9ed799705f5L;
        return (int) (((bits ^ (bits >>> 28)) * 0xcb24d0a5c88c35b3L) >>> 32);
    }

    int below(int bound) {
        int mask = bound - 1;
        int drawn = nextInt();
        if ((bound & mask) == 0) {
            return drawn & mask;
        }
        for (;;) {
            int positive = drawn >>> 1;
            int rest = positive % bound;
            if (positive + mask - rest >= 0) {
                return rest;
            }
            drawn = nextInt();
        }
    }

    long longBelow(long bound) {
        return bound < Integer.MAX_VALUE ? below((int) bound) : Math.abs(nextLong() % bound);
    }

    double fraction() {
        return (nextLong() >>> 11) * 0x1.0p-53;
    }

    private static long mix64(long bits) {
        bits = (bits ^ (bits >>> 30)) * 0xbf58476d1ce4e5b9L;
        bits = (bits ^ (bits >>> 27)) * 0x94d049bb133111ebL;
        return bits ^ (bits >>> 31);
    }
}
