package com.github.nexmark.flink.udf;

import org.apache.flink.table.functions.ScalarFunction;

/** The function of q14, under the name that nexmark-flink gives it: how often a character is in a text. */
public final class CountChar extends ScalarFunction {
    public long eval(String text, String character) {
        if (text == null || character == null || character.isEmpty()) {
            return 0;
        }
        char wanted = character.charAt(0);
        long count = 0;
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) == wanted) {
                count++;
            }
        }
        return count;
    }
}
