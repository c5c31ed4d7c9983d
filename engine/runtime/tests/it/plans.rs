//! Random plans with random failures: the streaming result is the batch result.

use proptest::prelude::*;
use sluice_plan::{Distribution, NodeId, StreamPlan};

use crate::support::{PlanBuilder, Row, TestBed, World, assert_rows, final_table, updates};

#[derive(Debug, Clone)]
struct Case {
    /// Rows, keys and parallelism of each source.
    sources: Vec<(usize, i64, usize)>,
    batch: usize,
    filter: Option<i64>,
    /// Parallelism behind an exchange.
    exchange: Option<usize>,
    /// Transactional or upsert, and parallelism.
    sinks: Vec<(bool, usize)>,
    faults: i64,
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let sources = prop::collection::vec((0_usize..400, 1_i64..60, 1_usize..4), 1..4);
    let sinks = prop::collection::vec((any::<bool>(), 1_usize..5), 1..4);
    let filter = prop::option::of(0_i64..300);
    let exchange = prop::option::of(1_usize..5);
    (sources, 1_usize..40, filter, exchange, sinks, 0_i64..8, any::<u64>()).prop_map(
        |(sources, batch, filter, exchange, sinks, faults, seed)| Case {
            sources,
            batch,
            filter,
            exchange,
            sinks,
            faults,
            seed,
        },
    )
}

fn scripts(case: &Case) -> Vec<Vec<Row>> {
    let modulus = case.sources.len() as i64;
    let script =
        |(number, (rows, keys, _)): (usize, &(usize, i64, usize))| updates(*rows, *keys, (number as i64, modulus));
    case.sources.iter().enumerate().map(script).collect()
}

fn plan(case: &Case) -> StreamPlan {
    let hash = || Distribution::Hash(vec![0]);
    let mut plan = PlanBuilder::default();
    let batch = case.batch.to_string();
    let mut heads: Vec<NodeId> = Vec::new();
    for (number, (_, _, parallelism)) in case.sources.iter().enumerate() {
        let source = plan.source(&format!("in{number}"), &[("batch", &batch)], *parallelism);
        heads.push(plan.calc(source, &format!("calc{number}"), case.filter, Distribution::Forward, *parallelism));
    }
    let mut head = if heads.len() == 1 { heads[0] } else { plan.union(&heads, "union") };
    if let Some(parallelism) = case.exchange {
        head = plan.calc(head, "exchange", None, hash(), parallelism);
    }
    for (number, (transactional, parallelism)) in case.sinks.iter().enumerate() {
        let mode = if *transactional { "transactional" } else { "upsert" };
        plan.sink(head, &format!("out{number}"), &[("mode", mode)], hash(), *parallelism);
    }
    plan.build()
}

fn check(case: &Case, world: &World, scripts: &[Vec<Row>]) {
    let mut expected: Vec<Row> = scripts.concat();
    expected.retain(|row| case.filter.is_none_or(|above| row.2 > above));
    let table = final_table(&expected);
    for (number, (transactional, _)) in case.sinks.iter().enumerate() {
        let name = format!("out{number}");
        if *transactional {
            assert_rows(&world.log(&name), &expected, &name);
        } else {
            assert_eq!(world.table(&name), table, "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_result_is_that_of_a_batch(case in case()) {
        let scripts = scripts(&case);
        let mut world = World::default();
        for (number, script) in scripts.iter().enumerate() {
            world = world.with_script(&format!("in{number}"), script.clone());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let bed = TestBed::new(world);
            bed.world.faults.arm(case.seed, case.faults, 60);
            let job = bed.submit(plan(&case), bed.config());
            job.wait().await.unwrap();
            check(&case, &bed.world, &scripts);
        });
    }
}
