//! Strings: random words, extras cut from a pool, channels with their URLs.

use std::sync::LazyLock;

use crate::random::Random;

/// Shortest random word before its blanks are cut off.
const MIN_LENGTH: i32 = 3;
/// Bytes in the pool that extras are cut from.
const POOL_LENGTH: usize = 1 << 20;
/// Bytes of the largest average size of an event: upstream cuts up to half of the pool.
pub(crate) const MAX_AVERAGE_SIZE: u64 = 400 << 10;
/// Number of channels besides the hot ones.
const CHANNELS: usize = 10_000;

const POOL_SEED: u64 = 1;
const CHANNELS_SEED: u64 = 2;

/// Appends a word of fewer than `max_length` characters without blanks at its ends.
#[inline]
pub(crate) fn word(random: &mut Random, max_length: i32, special: u8, to: &mut Vec<u8>) {
    let start = to.len();
    for _ in 0..MIN_LENGTH + random.below(max_length - MIN_LENGTH) {
        let character = if random.below(13) == 0 { special } else { b'a' + random.below(26) as u8 };
        if character != b' ' || to.len() > start {
            to.push(character);
        }
    }
    while to.len() > start && to.last() == Some(&b' ') {
        to.pop();
    }
}

/// What fills an event of `size` bytes up to `average` bytes, give or take a fifth.
#[inline]
pub(crate) fn extra<'a>(random: &mut Random, pool: &'a [u8], size: usize, average: i32) -> &'a [u8] {
    let missing = average - size as i32;
    if missing < 0 {
        return &[];
    }
    let delta = (f64::from(missing) * 0.2).round() as i32;
    let length = missing - delta + if delta == 0 { 0 } else { random.below(2 * delta) };
    let start = random.below(pool.len() as i32 - length) as usize;
    &pool[start..start + length as usize]
}

/// The pool of extras.
///
/// Upstream takes digits to base 26 of numbers that may be negative, so that every other six
/// characters or so are from `H` to `a` rather than from `a` to `z`.
pub(crate) fn pool() -> &'static [u8] {
    static POOL: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut random = Random::seeded(POOL_SEED);
        let mut pool = Vec::with_capacity(POOL_LENGTH + 6);
        while pool.len() < POOL_LENGTH {
            let mut digits = random.int();
            for _ in 0..6 {
                pool.push((i32::from(b'a') + digits % 26) as u8);
                digits /= 26;
            }
        }
        pool.truncate(POOL_LENGTH);
        pool
    });
    &POOL
}

/// Channels by which bids come, and the URL of each.
pub(crate) struct Channels {
    hot: [(Vec<u8>, Vec<u8>); 4],
    names: Texts,
    urls: Texts,
}

impl Channels {
    /// All of them.
    pub(crate) fn all() -> &'static Self {
        static ALL: LazyLock<Channels> = LazyLock::new(Channels::new);
        &ALL
    }

    fn new() -> Self {
        let mut random = Random::seeded(CHANNELS_SEED);
        let hot = ["Google", "Facebook", "Baidu", "Apple"].map(|name| {
            let mut address = Vec::new();
            url(&mut random, &mut address);
            (name.as_bytes().to_vec(), address)
        });
        let (mut names, mut urls) = (Texts::default(), Texts::default());
        for channel in 0..CHANNELS {
            names.push(|to| to.extend_from_slice(format!("channel-{channel}").as_bytes()));
            urls.push(|to| {
                url(&mut random, to);
                if random.below(10) > 0 {
                    let number = (channel as i32).reverse_bits().wrapping_abs();
                    to.extend_from_slice(format!("&channel_id={number}").as_bytes());
                }
            });
        }
        Self { hot, names, urls }
    }

    /// Name and URL of a random channel: every other bid comes by a hot one.
    #[inline]
    pub(crate) fn draw(&self, random: &mut Random) -> (&[u8], &[u8]) {
        if random.below(2) > 0 {
            let (name, url) = &self.hot[random.below(4) as usize];
            return (name, url);
        }
        let channel = random.below(CHANNELS as i32) as usize;
        (self.names.get(channel), self.urls.get(channel))
    }
}

fn url(random: &mut Random, to: &mut Vec<u8>) {
    to.extend_from_slice(b"https://www.nexmark.com/");
    for _ in 0..3 {
        word(random, 5, b'_', to);
        to.push(b'/');
    }
    to.extend_from_slice(b"item.htm?query=1");
}

/// Texts one behind the other.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }
}

/// Appends the number of a credit card: four groups of four digits.
#[inline]
pub(crate) fn credit_card(random: &mut Random, to: &mut Vec<u8>) {
    for group in 0..4 {
        if group > 0 {
            to.push(b' ');
        }
        let number = random.below(10_000);
        for unit in [1000, 100, 10, 1] {
            to.push(b'0' + (number / unit % 10) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_no_blanks_at_their_ends() {
        for seed in 0..1_000 {
            let mut word = b"@".to_vec();
            super::word(&mut Random::seeded(seed), 7, b' ', &mut word);
            assert!(word.len() <= 7 && !word.starts_with(b"@ ") && !word.ends_with(b" "), "{word:?}");
        }
    }

    #[test]
    fn extras_fill_up_to_the_average() {
        let lengths = (0..10_000).map(|seed| extra(&mut Random::seeded(seed), pool(), 32, 100).len());
        let (least, most) = lengths.clone().fold((usize::MAX, 0), |(a, b), length| (a.min(length), b.max(length)));
        assert_eq!((least, most), (54, 81));
        assert_eq!(lengths.sum::<usize>() / 10_000, 67);
        assert!(extra(&mut Random::seeded(0), pool(), 101, 100).is_empty());
    }

    #[test]
    fn nine_of_ten_channels_have_their_number_in_the_url() {
        let channels = Channels::all();
        let urls = (0..CHANNELS).map(|channel| std::str::from_utf8(channels.urls.get(channel)).unwrap());
        let numbered = urls.filter(|url| url.contains("&channel_id=")).count();
        assert!((8_900..9_100).contains(&numbered), "{numbered}");
        assert_eq!(channels.names.get(9_999), b"channel-9999");
    }
}
