//! One figure and what it is held against.

use std::fmt::Write as _;

use serde::Serialize;

/// A row of the table, and of the JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    name: String,
    unit: &'static str,
    ours: f64,
    /// What ours is divided by: another program's figure in the same run, or the limit itself.
    peer: f64,
    ratio: f64,
    /// On the ratio; without a peer, in `unit`.
    limit: f64,
    holds: bool,
}

impl Row {
    /// A figure that must stay below a limit in its own unit.
    pub fn below(name: &str, unit: &'static str, ours: f64, limit: f64) -> Self {
        let row = Self {
            name: name.to_owned(),
            unit,
            ours,
            peer: limit,
            ratio: ours / limit,
            limit,
            holds: ours < limit,
        };
        // Those who wait see how it goes.
        eprintln!("{}", row.line());
        row
    }

    /// A figure beside a peer's, both in `unit`, whose ratio must not exceed a limit. The ratio is
    /// that of rounds, so it need not be the one of the two figures.
    pub fn against(
        name: &str,
        unit: &'static str,
        (ours, peer): (f64, f64),
        ratio: f64,
        limit: f64,
    ) -> Self {
        let row = Self {
            name: name.to_owned(),
            unit,
            ours,
            peer,
            ratio,
            limit,
            holds: ratio <= limit,
        };
        eprintln!("{}", row.line());
        row
    }

    /// Whether it is as it should be.
    pub fn holds(&self) -> bool {
        self.holds
    }

    fn line(&self) -> String {
        let verdict = if self.holds { "holds" } else { "DOES NOT HOLD" };
        let Self {
            name,
            unit,
            ours,
            peer,
            ratio,
            limit,
            ..
        } = self;
        format!("{name:<68} {ours:>9.2} {peer:>9.2} {unit:<4} {ratio:>6.2} {limit:>9.2}  {verdict}")
    }
}

/// All rows under a heading.
pub fn table(rows: &[Row]) -> String {
    let (name, ours, peer, unit, ratio) = ("name", "ours", "peer", "unit", "ratio");
    let mut text = format!(
        "{name:<68} {ours:>9} {peer:>9} {unit:<4} {ratio:>6} {:>9}\n",
        "limit"
    );
    for row in rows {
        writeln!(text, "{}", row.line()).unwrap();
    }
    text
}

/// The value that so many per cent of `values` do not exceed (nearest rank).
pub fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent).div_ceil(100).max(1) - 1]
}
