use super::*;

fn reformat(text: &str, from: &str, to: &str, style: Style) -> Option<String> {
    let (moment, _) = Pattern::compile(from, style).unwrap().parse(text)?;
    let mut out = String::new();
    Pattern::compile(to, style).unwrap().format(moment, 0, &mut out);
    Some(out)
}

#[test]
fn reads_and_writes_java_patterns() {
    const ISO: &str = "yyyy-MM-dd HH:mm:ss.SSS";
    for (text, from, expected) in [
        ("2021-04-13 20:12:11.123", ISO, Some("2021-04-13 20:12:11.123")),
        ("20210413201211", "yyyyMMddHHmmss", Some("2021-04-13 20:12:11.000")),
        ("2021-4-3", "yyyy-M-d", Some("2021-04-03 00:00:00.000")),
        ("2021-4-3", "yyyy-MM-dd", None),
        ("2021-04-13T20:12:11Z", "yyyy-MM-dd'T'HH:mm:ss'Z'", Some("2021-04-13 20:12:11.000")),
        ("2021-04-13T20:12:11+08:00", "yyyy-MM-dd'T'HH:mm:ssXXX", Some("2021-04-13 20:12:11.000")),
        ("13/Apr/21 08:12 PM", "dd/MMM/yy hh:mm a", Some("2021-04-13 20:12:00.000")),
        ("2021-04-13", "yyyy-MM-dd[ HH:mm]", Some("2021-04-13 00:00:00.000")),
        ("2021-04-13 05:06", "yyyy-MM-dd[ HH:mm]", Some("2021-04-13 05:06:00.000")),
        ("2021-02-30", "yyyy-MM-dd", Some("2021-02-28 00:00:00.000")),
        ("2021-04-13 x", "yyyy-MM-dd", None),
        ("2021-13-01", "yyyy-MM-dd", None),
    ] {
        assert_eq!(reformat(text, from, ISO, Style::Strict).as_deref(), expected, "{text} {from}");
    }
    assert_eq!(
        reformat("2021-04-13 00:00:00", "yyyy-MM-dd HH:mm:ss", "EEE, d MMMM yy h a Q D ''", Style::Strict).as_deref(),
        Some("Tue, 13 April 21 12 AM 2 103 '")
    );
    for (text, pattern, expected) in [
        ("2024-01-01", "YYYY-'W'ww e E EEEEE MMMMM G W", "2024-W01 2 Mon M J AD 1"),
        ("2024-12-29", "YYYY ww W e c ccc eeee", "2025 01 5 1 1 Sun Sunday"),
        ("2023-12-31", "YY w W u", "24 1 6 2023"),
        ("2024-08-10", "QQQ QQQQ QQQQQ q GGGG GGGGG A N", "Q3 3rd quarter 3 3 Anno Domini A 0 0"),
    ] {
        assert_eq!(reformat(text, "yyyy-MM-dd", pattern, Style::Strict).as_deref(), Some(expected), "{pattern}");
    }
    for bad in ["ddd", "HHH", "aa", "cc", "SSSSSSSSSS", "EEEEEE", "z", "V", "B", "p"] {
        assert!(Pattern::compile(bad, Style::Strict).is_err(), "{bad}");
    }
    assert_eq!(reformat("2024-01", "YYYY-ww", ISO, Style::Strict), None);
    assert!(Pattern::compile("yyyy-bb", Style::Strict).is_err());
    assert!(Pattern::compile("'open", Style::Strict).is_err());
}

#[test]
fn the_older_format_is_lenient() {
    const ISO: &str = "yyyy-MM-dd HH:mm:ss";
    for (text, from, expected) in [
        ("2021-13-01 25:00:00", ISO, Some("2022-01-02 01:00:00")),
        ("2021-4-3 1:2:3 and more", ISO, Some("2021-04-03 01:02:03")),
        ("20210413", "yyyyMMdd", Some("2021-04-13 00:00:00")),
        ("2021-04-13", ISO, None),
    ] {
        assert_eq!(reformat(text, from, ISO, Style::Lenient).as_deref(), expected, "{text} {from}");
    }
    let written = reformat("2024-12-29", "yyyy-MM-dd", "u F Y w EEEEE GGGG", Style::Lenient);
    assert_eq!(written.as_deref(), Some("7 5 2025 1 Sunday AD"));
}
