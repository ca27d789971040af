//! What Jump Clients cost by their number, as a drawing that is read on light and dark pages.

use std::fmt::Write as _;

use super::idle::Cost;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 40.0;

/// An SVG: the cost of a message on the left, the relay's memory on the right, numbers by their
/// logarithm.
pub fn draw(costs: &[Cost]) -> String {
    let most = |of: fn(&Cost) -> f64| costs.iter().map(of).fold(0.0, f64::max);
    // Marks are at the quarters of each.
    let up_to = |most: f64, step: f64| (most * 1.1 / step).ceil() * step;
    let message_most = up_to(most(|cost| cost.message), 0.4);
    let memory_most = up_to(most(|cost| cost.memory_mib), 20.0);
    let (first, last) = (costs[0].clients, costs[costs.len() - 1].clients);
    let span = f64::from(last).ln() - f64::from(first).ln();
    let across = |clients: u32| {
        let share = (f64::from(clients).ln() - f64::from(first).ln()) / span.max(1.0);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    };
    let up = |share: f64| HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"Cost of a message and memory of the relay by Jump Clients connected\">\n\
         <style>text{{font:12px sans-serif;fill:#6b7280}}.a{{stroke:#2563eb;fill:none;\
         stroke-width:2}}.b{{stroke:#d97706;fill:none;stroke-width:2}}.ta{{fill:#2563eb}}\
         .tb{{fill:#d97706}}.g{{stroke:#9ca3af;stroke-opacity:.4}}</style>\n"
    );
    text(
        &mut svg,
        (LEFT, 18.0),
        "start",
        "ta",
        "CPU per message, against 10 Jump Clients",
    );
    text(
        &mut svg,
        (WIDTH - RIGHT, 18.0),
        "end",
        "tb",
        "Memory of the relay, MiB",
    );
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let y = up(share);
        let _ = writeln!(
            svg,
            "<line class=\"g\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
            WIDTH - RIGHT
        );
        let (left, right) = (share * message_most, share * memory_most);
        text(
            &mut svg,
            (LEFT - 8.0, y + 4.0),
            "end",
            "ta",
            &format!("{left:.2}"),
        );
        text(
            &mut svg,
            (WIDTH - RIGHT + 8.0, y + 4.0),
            "start",
            "tb",
            &format!("{right:.0}"),
        );
    }
    let mut lines = [String::new(), String::new()];
    for cost in costs {
        let x = across(cost.clients);
        let shares = [cost.message / message_most, cost.memory_mib / memory_most];
        for (line, share) in lines.iter_mut().zip(shares) {
            let _ = write!(line, "{x:.1},{:.1} ", up(share));
        }
        text(
            &mut svg,
            (x, HEIGHT - BOTTOM + 18.0),
            "middle",
            "",
            &cost.clients.to_string(),
        );
    }
    for (class, points) in ["a", "b"].iter().zip(lines) {
        let _ = writeln!(
            svg,
            "<polyline class=\"{class}\" points=\"{}\"/>",
            points.trim_end()
        );
    }
    let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
    text(
        &mut svg,
        (middle, HEIGHT - 6.0),
        "middle",
        "",
        "Jump Clients connected",
    );
    svg + "</svg>\n"
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, class: &str, words: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{words}</text>"
    );
}
