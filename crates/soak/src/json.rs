//! A run as one JSON object: a contract.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::number::float;
use crate::record::{Axis, Record};
use crate::sample::{Figures, Sample};
use crate::verdict::{Evidence, Finding};

/// The object. `before` and `after` are the first and the last sample that were judged; `heap_bytes` are allocated
/// bytes where the process says them.
#[must_use]
pub fn object(record: &Record) -> Value {
    let seconds = record.elapsed.as_secs_f64();
    let rate = if seconds > 0.0 { float(record.iterations) / seconds } else { 0.0 };
    let mut object = json!({
        "version": 1,
        "scenario": record.scenario,
        "iterations": record.iterations,
        "operations": record.operations(),
        "seconds": seconds,
        "rate": rate,
        "windows": record.windows.len(),
        "processes": record.series.iter().map(|s| {
            let mut one = figures(record, &s.samples);
            if let Some(map) = one.as_object_mut() {
                map.insert("name".into(), json!(s.name));
                map.insert("pid".into(), json!(s.pid));
                map.insert("flat".into(), json!(record.process_flat(&s.name)));
                map.insert("samples".into(), s.samples.iter().map(sample).collect());
            }
            one
        }).collect::<Vec<_>>(),
        "findings": record.findings.iter().map(finding).collect::<Vec<_>>(),
        "flat": record.flat(),
        "interrupted": record.interrupted,
    });
    if let (Some(map), Value::Object(sums)) = (object.as_object_mut(), figures(record, &record.total())) {
        map.extend(sums);
    }
    object
}

fn figures(record: &Record, samples: &[Sample]) -> Value {
    let judged = record.judged(samples);
    let (Some(first), Some(last)) = (judged.first(), judged.last()) else { return json!({}) };
    let between =
        |value: fn(&Figures) -> u64| json!({"before": value(&first.figures), "after": value(&last.figures)});
    let mut fds = between(|f| f.descriptors.total());
    let slope = record.bytes_slope(samples);
    let mut heap = between(Figures::bytes);
    if let Some(map) = fds.as_object_mut() {
        let kinds = first.figures.descriptors.kinds().into_iter().zip(last.figures.descriptors.kinds());
        let kinds: BTreeMap<_, _> =
            kinds.map(|((name, a), (_, b))| (name, json!({"before": a, "after": b}))).collect();
        map.insert("kinds".into(), json!(kinds));
    }
    if let (Some(map), Some(slope)) = (heap.as_object_mut(), slope) {
        match record.axis {
            Axis::Operations(_) => {
                // An iteration can be more than one operation.
                let factor = float(record.operations()) / float(record.iterations.max(1));
                map.insert("per_iteration".into(), json!(slope.estimate * factor));
                map.insert("per_operation".into(), json!(slope.estimate));
                map.insert("interval".into(), json!([slope.low, slope.high]));
            }
            Axis::Time => {
                map.insert("per_hour".into(), json!(slope.estimate));
                map.insert("interval".into(), json!([slope.low, slope.high]));
            }
        }
    }
    let counts = |f: &Figures| f.ledger.clone().unwrap_or_default();
    json!({
        "fds": fds,
        "threads": between(|f| f.threads),
        "rss_kib": between(|f| f.rss / 1024),
        "private_dirty_kib": between(|f| f.private_dirty / 1024),
        "heap_bytes": heap,
        "ledger": {
            "before": first.figures.held(),
            "after": last.figures.held(),
            "counts": counts(&last.figures),
        },
    })
}

/// One sample; all of them are there, those of the warm-up too.
fn sample(sample: &Sample) -> Value {
    let figures = &sample.figures;
    json!({
        "seconds": sample.elapsed.as_secs_f64(),
        "operations": sample.operations,
        "fds": figures.descriptors.total(),
        "threads": figures.threads,
        "ledger": figures.held(),
        "heap_bytes": figures.bytes(),
        "private_dirty_kib": figures.private_dirty / 1024,
        "rss_kib": figures.rss / 1024,
    })
}

fn finding(finding: &Finding) -> Value {
    let slope = match &finding.evidence {
        Evidence::Slope { slope, .. } => json!([slope.low, slope.estimate, slope.high]),
        _ => Value::Null,
    };
    json!({
        "process": finding.process,
        "measure": finding.measure.to_string(),
        "flat": finding.flat,
        "evidence": finding.evidence.to_string(),
        "slope": slope,
    })
}
