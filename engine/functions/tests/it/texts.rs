//! Functions of character strings, with the examples of Flink's documentation.

use crate::harness::{check_all, check_type, fails};

#[test]
fn parts() {
    check_all(&[
        ("SUBSTRING('hello', 0, 2)", "he"),
        ("SUBSTRING('hello', 1, 2)", "he"),
        ("SUBSTRING('hello' FROM 2 FOR 3)", "ell"),
        ("SUBSTRING('hello', 4, 9)", "lo"),
        ("SUBSTRING('hello', -3)", "llo"),
        ("SUBSTRING('hello', -9)", ""),
        ("SUBSTRING('hello', 6)", ""),
        ("SUBSTRING('hello', 1, -1)", "NULL"),
        ("SUBSTR('数据同步', 2, 2)", "据同"),
        ("SUBSTRING('', 1)", ""),
        ("SUBSTRING(CAST(NULL AS STRING), 1)", "NULL"),
        ("LEFT('hello', 2)", "he"),
        ("LEFT('hello', 9)", "hello"),
        ("LEFT('hello', -1)", ""),
        ("RIGHT('hello', 2)", "lo"),
        ("RIGHT('hello', 0)", ""),
        ("RIGHT('数据', 1)", "据"),
        ("SPLIT_INDEX('a,b,,c', ',', 1)", "b"),
        ("SPLIT_INDEX('a,b,,c', ',', 2)", ""),
        ("SPLIT_INDEX('a,b', ',', 2)", "NULL"),
        ("SPLIT_INDEX('a,b', ',', -1)", "NULL"),
        ("SPLIT_INDEX('a,b', 44, 1)", "b"),
        ("SPLIT_INDEX('', ',', 0)", "NULL"),
        ("SPLIT_INDEX('Jack,John,Mary', ',', 2)", "Mary"),
    ]);
}

#[test]
fn shapes() {
    check_all(&[
        ("UPPER('flink')", "FLINK"),
        ("LOWER('ÄB')", "äb"),
        ("INITCAP('i am aVATAR')", "I Am Avatar"),
        ("REVERSE('数ab')", "ba数"),
        ("CHAR_LENGTH('数据')", "2"),
        ("CHARACTER_LENGTH('Thomas')", "6"),
        ("TRIM('  a ')", "a"),
        ("TRIM(BOTH 'x' FROM 'xxaxx')", "a"),
        ("TRIM(LEADING 'x' FROM 'xxaxx')", "axx"),
        ("TRIM(TRAILING 'x' FROM 'xxaxx')", "xxa"),
        ("LTRIM(' This is a test String.')", "This is a test String."),
        ("RTRIM('This is a test String. ')", "This is a test String."),
        ("REPEAT('This is a test String.', 2)", "This is a test String.This is a test String."),
        ("REPEAT('a', -1)", ""),
        ("LPAD('hi', 4, '??')", "??hi"),
        ("LPAD('hi', 1, '??')", "h"),
        ("LPAD('hi', -1, '?')", "NULL"),
        ("LPAD('hi', 4, '')", "NULL"),
        ("RPAD('hi', 5, 'ab')", "hiaba"),
        ("RPAD('', 0, 'x')", ""),
        ("CONCAT('AA', 'BB', 'CC')", "AABBCC"),
        ("CONCAT('AA', NULL)", "NULL"),
        ("'a' || 'b' || 'c'", "abc"),
        ("'a' || NULL", "NULL"),
        ("CONCAT_WS('~', 'AA', NULL, 'BB', '', 'CC')", "AA~BB~~CC"),
        ("CONCAT_WS(NULL, 'a')", "NULL"),
    ]);
    check_type("CHAR_LENGTH('a')", "1", "INT");
    fails("UPPER(1)", "cannot apply UPPER to (INT)");
    fails("CONCAT('a', 1)", "cannot apply CONCAT to (STRING, INT)");
    fails("REPEAT('ab', 2147483647)", "too long");
}

#[test]
fn search_and_replace() {
    check_all(&[
        ("POSITION('b' IN 'abc')", "2"),
        ("INSTR('abc', 'z')", "0"),
        ("LOCATE('a', 'banana')", "2"),
        ("LOCATE('a', 'banana', 3)", "4"),
        ("LOCATE('a', 'banana', 9)", "0"),
        ("LOCATE('据', '数据')", "2"),
        ("REPLACE('hello world', 'world', 'flink')", "hello flink"),
        ("REPLACE('ababab', 'abab', 'z')", "zab"),
        ("TRANSLATE('hello', 'el', 'ip')", "hippo"),
        ("TRANSLATE('hello', 'l', '')", "heo"),
        ("OVERLAY('This is an old string' PLACING ' new' FROM 10 FOR 5)", "This is a new string"),
        ("OVERLAY('abc' PLACING 'x' FROM 9)", "abc"),
        ("OVERLAY('abcdef' PLACING 'xy' FROM 3)", "abxyef"),
        ("STARTSWITH('abc', 'ab')", "TRUE"),
        ("ENDSWITH('abc', 'ab')", "FALSE"),
        ("ASCII('abc')", "97"),
        ("ASCII('')", "0"),
        ("CHR(97)", "a"),
        ("CHR(353)", "a"),
        ("CHR(-1)", ""),
        ("IS_ALPHA('abc')", "TRUE"),
        ("IS_ALPHA('a1')", "FALSE"),
        ("IS_ALPHA(NULL)", "FALSE"),
        ("IS_DIGIT('123')", "TRUE"),
        ("IS_DIGIT(12)", "TRUE"),
        ("IS_DECIMAL('1.5e3')", "TRUE"),
        ("IS_DECIMAL('1.5x')", "FALSE"),
        ("IS_DECIMAL('')", "FALSE"),
    ]);
}

#[test]
fn like_has_no_escape_unless_it_is_given() {
    check_all(&[
        ("'abc' LIKE 'a%'", "TRUE"),
        ("'abc' LIKE 'a_c'", "TRUE"),
        ("'abc' NOT LIKE 'b%'", "TRUE"),
        ("'ABC' LIKE 'a%'", "FALSE"),
        (r"'a\b' LIKE 'a\b'", "TRUE"),
        (r"'a\xb' LIKE 'a\%b'", "TRUE"),
        ("'50%' LIKE '50!%' ESCAPE '!'", "TRUE"),
        ("'50x' LIKE '50!%' ESCAPE '!'", "FALSE"),
        (r"'50%' LIKE CONCAT('50', '%')", "TRUE"),
        (r"'a\b' LIKE CONCAT('a\', 'b')", "TRUE"),
        ("CAST(NULL AS STRING) LIKE 'a'", "NULL"),
        ("'abc' SIMILAR TO '(b|c)%'", "FALSE"),
        ("'abc' SIMILAR TO '%(b|d)%'", "TRUE"),
        ("'abc' SIMILAR TO 'a.c'", "TRUE"),
        ("'12' SIMILAR TO '[0-9]+'", "TRUE"),
        ("'abc' NOT SIMILAR TO 'abc'", "FALSE"),
    ]);
    fails("'a' LIKE '!a' ESCAPE '!'", "invalid escape sequence");
    fails("1 LIKE '1'", "cannot apply LIKE to INT and STRING");
}

#[test]
fn regular_expressions() {
    check_all(&[
        ("REGEXP('foobar', 'o+b')", "TRUE"),
        ("REGEXP('foobar', '')", "FALSE"),
        ("REGEXP('foobar', '(')", "FALSE"),
        ("REGEXP(NULL, 'a')", "NULL"),
        ("REGEXP_REPLACE('foobar', 'oo|ar', '')", "fb"),
        (r"REGEXP_REPLACE('100-200', '(\d+)', '<$1>')", "<100>-<200>"),
        (r"REGEXP_REPLACE('a.b.c', '\.', '\$')", "a$b$c"),
        ("REGEXP_REPLACE('abc', '(', 'x')", "NULL"),
        ("REGEXP_EXTRACT('foothebar', 'foo(.*?)(bar)', 2)", "bar"),
        ("REGEXP_EXTRACT('foothebar', 'foo(.*?)(bar)')", "foothebar"),
        ("REGEXP_EXTRACT('abc', 'x')", "NULL"),
        ("REGEXP_EXTRACT('abc', 'a', 5)", "NULL"),
        ("REGEXP_COUNT('ababab', 'ab')", "3"),
        ("REGEXP_INSTR('hello', 'l+')", "3"),
        ("REGEXP_SUBSTR('hello', 'l+')", "ll"),
        (r"REGEXP_EXTRACT_ALL('a1b2', '[a-z](\d)')", "[1, 2]"),
    ]);
    fails("REGEXP('a', '(?=a)')", "look-around");
}

#[test]
fn codes() {
    check_all(&[
        ("TO_BASE64('hello world')", "aGVsbG8gd29ybGQ="),
        ("FROM_BASE64('aGVsbG8gd29ybGQ=')", "hello world"),
        ("HEX('flink')", "666C696E6B"),
        ("HEX(255)", "FF"),
        ("CAST(UNHEX('666c696e6b') AS STRING)", "flink"),
        ("UNHEX('xyz')", "NULL"),
        ("BIN(10)", "1010"),
        ("DECODE(ENCODE('äb', 'UTF-16LE'), 'UTF-16LE')", "äb"),
        ("HEX(DECODE(ENCODE('aé', 'ISO-8859-1'), 'ISO-8859-1'))", "61C3A9"),
        ("URL_ENCODE('a b/ä')", "a+b%2F%C3%A4"),
        ("URL_DECODE('a+b%2F%C3%A4')", "a b/ä"),
        ("URL_DECODE('%2')", "NULL"),
        ("PARSE_URL('http://u@facebook.com:80/path1/p.php?k1=v1&k2=v2#Ref1', 'HOST')", "facebook.com"),
        ("PARSE_URL('http://facebook.com/path1/p.php?k1=v1&k2=v2#Ref1', 'PATH')", "/path1/p.php"),
        ("PARSE_URL('http://facebook.com/path1/p.php?k1=v1&k2=v2#Ref1', 'QUERY', 'k2')", "v2"),
        ("PARSE_URL('http://facebook.com/path1/p.php?k1=v1&k2=v2#Ref1', 'REF')", "Ref1"),
        ("PARSE_URL('no url', 'HOST')", "NULL"),
        ("MD5('test')", "098f6bcd4621d373cade4e832627b4f6"),
        ("MD5('')", "d41d8cd98f00b204e9800998ecf8427e"),
        ("SHA1('test')", "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"),
        ("SHA256('test')", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ("SHA2('test', 224)", "90a3ed9e32b2aaf4c61c410eb925426119e1a9dc53d4286ade99a809"),
        ("MD5(NULL)", "NULL"),
        ("CHAR_LENGTH(UUID())", "36"),
        ("CHAR_LENGTH(SHA512('x'))", "128"),
    ]);
    fails("SHA2('test', 1)", "224, 256, 384 or 512");
    fails("FROM_BASE64('?')", "not base64");
    fails("ENCODE('a', 'KOI8')", "unknown character set 'KOI8'");
}
