//! Damaged input: an error at worst, never a panic, an endless loop or an absurd allocation.

use std::sync::LazyLock;

use crate::support::{Fixture, text_targets, typed_targets};
use proptest::prelude::*;
use sluice_mysql_decode::event::{Event, EventBody};
use sluice_mysql_decode::{
    BinlogParser, Flavour, GtidSet, MySqlColumn, ResultRowDecoder, RowBatchBuilder, RowDecoder, TargetColumn,
    UpdateMode,
};

static VICTIMS: LazyLock<[Victim; 2]> =
    LazyLock::new(|| [Victim::new(&Fixture::mariadb()), Victim::new(&Fixture::mysql())]);

/// One recorded log without its checksums, so that damage is not found before it is read.
struct Victim {
    events: Vec<Vec<u8>>,
    packets: Vec<Vec<u8>>,
    targets: [Vec<TargetColumn>; 2],
}

impl Victim {
    fn new(fixture: &Fixture) -> Self {
        let without_checksum = |mut event: Vec<u8>| {
            event.truncate(event.len() - 4);
            set_size(&mut event);
            event
        };
        let mut events: Vec<Vec<u8>> = fixture.events().into_iter().skip(1).map(without_checksum).collect();
        // Events out of compressed transactions, too.
        let mut parser = BinlogParser::new(Flavour::MySql);
        for event in events.clone() {
            if let Ok(Event { body: EventBody::TransactionPayload(payload), .. }) = parser.parse(&event) {
                events.push(inflated(payload.payload));
            }
        }
        events.retain(|event| !event.is_empty());
        let targets = [text_targets(&fixture.columns), typed_targets(&fixture.columns)];
        Self { events, packets: fixture.packets(), targets }
    }

    /// Feeds the events around `victim`, damaged by `damage`, to everything that decodes.
    fn feed(&self, victim: usize, damage: &Damage) {
        let victim = victim % self.events.len();
        let mut parser = BinlogParser::new(Flavour::MariaDb);
        for (index, event) in self.events.iter().enumerate().skip(victim.saturating_sub(4)).take(8) {
            let mut event = event.clone();
            if index == victim {
                damage.apply(&mut event, 19);
            }
            if let Ok(event) = parser.parse(&event) {
                self.decode(&event);
                if let EventBody::TransactionPayload(payload) = &event.body
                    && let Ok(mut inner) = payload.events(1 << 20)
                {
                    while let Ok(Some(event)) = inner.next(&mut parser) {
                        self.decode(&event);
                    }
                }
            }
        }
    }

    fn decode(&self, event: &Event<'_>) {
        let EventBody::Rows(rows) = &event.body else { return };
        for targets in &self.targets {
            for mode in [UpdateMode::AfterOnly, UpdateMode::BeforeAndAfter] {
                let Ok(mut decoder) = RowDecoder::new(&rows.table, targets) else { continue };
                let mut out = RowBatchBuilder::new(targets, &[0, 5]).unwrap();
                let _ = decoder.decode(rows, mode, &mut out);
                out.finish().unwrap();
            }
        }
    }

    fn feed_packet(&self, victim: usize, damage: &Damage) {
        let mut packet = self.packets[victim % self.packets.len()].clone();
        damage.apply(&mut packet, 0);
        for targets in &self.targets {
            let mut out = RowBatchBuilder::new(targets, &[]).unwrap();
            let decoded = ResultRowDecoder::new(targets).unwrap().decode_row(&packet, &mut out);
            assert_eq!(out.len(), usize::from(decoded.is_ok()));
            out.finish().unwrap();
        }
    }
}

fn inflated(payload: &[u8]) -> Vec<u8> {
    let all = zstd::decode_all(payload).unwrap();
    let size = u32::from_le_bytes(all[9..13].try_into().unwrap()) as usize;
    all[..size].to_vec()
}

fn set_size(event: &mut [u8]) {
    let size = (event.len() as u32).to_le_bytes();
    if let Some(field) = event.get_mut(9..13) {
        field.copy_from_slice(&size);
    }
}

/// Bytes to overwrite, and where to cut.
#[derive(Debug, Clone)]
struct Damage {
    overwrite: Vec<(usize, u8)>,
    keep: Option<usize>,
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>, from: usize) {
        let len = bytes.len().saturating_sub(from).max(1);
        for (place, value) in &self.overwrite {
            if let Some(byte) = bytes.get_mut(from + place % len) {
                *byte = *value;
            }
        }
        if let Some(keep) = self.keep {
            bytes.truncate(from + keep % len);
        }
        if from > 0 {
            set_size(bytes);
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let overwrite = prop::collection::vec((any::<usize>(), any::<u8>()), 0..6);
    (overwrite, prop::option::weighted(0.3, any::<usize>())).prop_map(|(overwrite, keep)| Damage { overwrite, keep })
}

proptest! {
    // `PROPTEST_CASES` may ask for more.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(1500)))]

    #[test]
    fn damaged_events(mysql in any::<bool>(), victim in any::<usize>(), damage in damage()) {
        VICTIMS[usize::from(mysql)].feed(victim, &damage);
    }

    #[test]
    fn damaged_row_packets(mysql in any::<bool>(), victim in any::<usize>(), damage in damage()) {
        VICTIMS[usize::from(mysql)].feed_packet(victim, &damage);
    }

    #[test]
    fn bytes_that_are_no_event(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = bytes;
        set_size(&mut bytes);
        let _ = BinlogParser::new(Flavour::MySql).parse(&bytes);
        let _ = GtidSet::decode(&bytes);
    }

    #[test]
    fn text_that_is_no_type_or_set(text in "[a-z0-9,'()\\\\: -]{0,40}") {
        let _ = MySqlColumn::parse("c", &text, None);
        let _ = text.parse::<GtidSet>();
    }

    #[test]
    fn sets_read_back(runs in prop::collection::vec((1u64..60, 0u64..5, 0u8..3), 0..20)) {
        let mut set = GtidSet::new();
        for (first, more, source) in runs {
            let tag = if source == 2 { ":job" } else { "" };
            let run = format!("00000000-0000-0000-0000-00000000000{}{tag}:{first}-{}", source % 2, first + more);
            set.union(&run.parse().unwrap());
        }
        prop_assert_eq!(&GtidSet::decode(&set.encode()).unwrap(), &set);
        prop_assert_eq!(&set.to_string().parse::<GtidSet>().unwrap(), &set);
    }
}
