package nexmark;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.flink.table.data.StringData;

/** The strings of events: random words, extras cut from a pool, channels with their URLs. */
final class Texts {
    private static final int MIN_LENGTH = 3;
    private static final int POOL_LENGTH = 1 << 20;
    private static final long POOL_SEED = 1;
    private static final long CHANNELS_SEED = 2;
    private static final int CHANNELS = 10_000;
    private static final String[] HOT = {"Google", "Facebook", "Baidu", "Apple"};

    private static final byte[] POOL = pool();
    private static final StringData[] HOT_NAMES = new StringData[HOT.length];
    private static final StringData[] HOT_URLS = new StringData[HOT.length];
    private static final StringData[] NAMES = new StringData[CHANNELS];
    private static final StringData[] URLS = new StringData[CHANNELS];

    static {
        Random random = new Random().seeded(CHANNELS_SEED);
        Texts texts = new Texts();
        for (int i = 0; i < HOT.length; i++) {
            texts.start();
            HOT_NAMES[i] = StringData.fromBytes(HOT[i].getBytes(StandardCharsets.UTF_8));
            texts.url(random);
            HOT_URLS[i] = texts.finish();
        }
        for (int i = 0; i < CHANNELS; i++) {
            NAMES[i] = StringData.fromBytes(("channel-" + i).getBytes(StandardCharsets.UTF_8));
            texts.start();
            texts.url(random);
            if (random.below(10) > 0) {
                texts.append("&channel_id=" + Math.abs(Integer.reverse(i)));
            }
            URLS[i] = texts.finish();
        }
    }

    private byte[] bytes = new byte[256];
    private int length;

    /** Channel that was drawn last. */
    StringData channel;

    /** URL that was drawn last. */
    StringData url;

    void start() {
        length = 0;
    }

    int length() {
        return length;
    }

    StringData finish() {
        return StringData.fromBytes(Arrays.copyOf(bytes, length));
    }

    void append(byte character) {
        if (length == bytes.length) {
            bytes = Arrays.copyOf(bytes, 2 * length);
        }
        bytes[length++] = character;
    }

    void append(String text) {
        for (int i = 0; i < text.length(); i++) {
            append((byte) text.charAt(i));
        }
    }

    /** Appends a word of fewer than so many characters without blanks at its ends. */
    void word(Random random, int maxLength, byte special) {
        int start = length;
        int characters = MIN_LENGTH + random.below(maxLength - MIN_LENGTH);
        for (int i = 0; i < characters; i++) {
            byte character = random.below(13) == 0 ? special : (byte) ('a' + random.below(26));
            if (character != ' ' || length > start) {
                append(character);
            }
        }
        while (length > start && bytes[length - 1] == ' ') {
            length--;
        }
    }

    /** Appends four groups of four digits. */
    void creditCard(Random random) {
        for (int group = 0; group < 4; group++) {
            if (group > 0) {
                append((byte) ' ');
            }
            int number = random.below(10_000);
            for (int unit = 1000; unit > 0; unit /= 10) {
                append((byte) ('0' + number / unit % 10));
            }
        }
    }

    /** What fills an event of that size up to the average, give or take a fifth; no copy. */
    static StringData extra(Random random, int size, int average) {
        int missing = average - size;
        if (missing < 0) {
            return StringData.fromBytes(new byte[0]);
        }
        int delta = (int) Math.round(missing * 0.2);
        int length = missing - delta + (delta == 0 ? 0 : random.below(2 * delta));
        return StringData.fromBytes(POOL, random.below(POOL_LENGTH - length), length);
    }

    /** Draws a channel and its URL: every other bid comes by a hot one. */
    void drawChannel(Random random) {
        if (random.below(2) > 0) {
            int hot = random.below(HOT.length);
            channel = HOT_NAMES[hot];
            url = HOT_URLS[hot];
        } else {
            int index = random.below(CHANNELS);
            channel = NAMES[index];
            url = URLS[index];
        }
    }

    private void url(Random random) {
        append("https://www.nexmark.com/");
        for (int i = 0; i < 3; i++) {
            word(random, 5, (byte) '_');
            append((byte) '/');
        }
        append("item.htm?query=1");
    }

    private static byte[] pool() {
        Random random = new Random().seeded(POOL_SEED);
        byte[] pool = new byte[POOL_LENGTH + 6];
        for (int length = 0; length < POOL_LENGTH; ) {
            int digits = random.nextInt();
            for (int i = 0; i < 6; i++) {
                pool[length++] = (byte) ('a' + digits % 26);
                digits /= 26;
            }
        }
        return Arrays.copyOf(pool, POOL_LENGTH);
    }
}
