//! Grouped horizontal bars: for each row, each map's figure as a part of the best one's.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{method, shown};
use crate::results::Results;
use crate::suite::Row;

const WIDTH: i32 = 1100;
const LABELS: i32 = 380;
const FIGURES: i32 = 70;
const BAR: i32 = 13;
const GAP: i32 = 16;
const HEAD: i32 = 110;

/// One colour for each subject, in their order; again from the beginning if need be.
const COLOURS: [RGBColor; 8] = [
    RGBColor(200, 60, 40),
    RGBColor(60, 110, 180),
    RGBColor(90, 160, 80),
    RGBColor(230, 170, 50),
    RGBColor(130, 100, 170),
    RGBColor(120, 120, 120),
    RGBColor(70, 170, 170),
    RGBColor(200, 120, 160),
];

/// A group of bars: a title, and each bar's colour, length out of 1, and text.
struct Group {
    title: String,
    bars: Vec<(RGBColor, f64, String)>,
}

/// Draws the chart of one thread, or of the first number of threads there is: the rows whose
/// label contains one of the texts, or all if there is none.
pub(crate) fn draw(results: &Results, only: &[String], path: &Path) -> Result<(), Box<dyn Error>> {
    let threads = results.threads[0];
    let groups: Vec<Group> = results
        .rows()
        .iter()
        .filter(|row| row.is_wanted(only))
        .map(|row| group(results, row, threads))
        .filter(|group| !group.bars.is_empty())
        .collect();
    let bars: i32 = groups.iter().map(|group| group.bars.len() as i32).sum();
    let height = HEAD + bars * BAR + groups.len() as i32 * GAP + GAP;
    let area = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let text = |size: i32, horizontal, vertical| {
        let style = ("sans-serif", size).into_font().color(&BLACK);
        style.pos(Pos::new(horizontal, vertical))
    };
    let title = format!("libmasstree beside other ordered maps, {threads} thread(s)");
    area.draw_text(&title, &text(20, HPos::Left, VPos::Top), (20, 14))?;
    let machine = results.machine.text();
    let machine = machine.lines().next().unwrap_or_default();
    area.draw_text(machine, &text(11, HPos::Left, VPos::Top), (20, 42))?;
    let method = format!(
        "{}. Longer is better: bars of bytes are drawn inversely.",
        method(results)
    );
    area.draw_text(&method, &text(11, HPos::Left, VPos::Top), (20, 58))?;
    legend(results, &area)?;

    let mut y = HEAD;
    for group in &groups {
        let middle = y + group.bars.len() as i32 * BAR / 2;
        let label = text(13, HPos::Right, VPos::Center);
        area.draw_text(&group.title, &label, (LABELS - 10, middle))?;
        for (colour, length, figure) in &group.bars {
            let end = LABELS + (length * f64::from(WIDTH - LABELS - FIGURES)).round() as i32;
            let corners = [(LABELS, y + 1), (end.max(LABELS + 1), y + BAR - 1)];
            area.draw(&Rectangle::new(corners, colour.filled()))?;
            let style = text(11, HPos::Left, VPos::Center);
            area.draw_text(figure, &style, (end + 5, y + BAR / 2))?;
            y += BAR;
        }
        y += GAP;
    }
    area.present()?;
    Ok(())
}

fn group(results: &Results, row: &Row, threads: usize) -> Group {
    let colours = COLOURS.iter().cycle();
    let figures: Vec<(RGBColor, f64)> = results
        .subjects
        .iter()
        .zip(colours)
        .filter_map(|(subject, &colour)| Some((colour, results.figure(subject, row, threads)?)))
        .collect();
    let rank = |figure: f64| match row.phase.less_is_better() {
        true => figure.recip(),
        false => figure,
    };
    let best = figures
        .iter()
        .map(|(_, figure)| rank(*figure))
        .fold(0.0, f64::max);
    Group {
        title: super::label(row),
        bars: figures
            .into_iter()
            .map(|(colour, figure)| (colour, rank(figure) / best, shown(row, figure)))
            .collect(),
    }
}

fn legend(
    results: &Results,
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
) -> Result<(), Box<dyn Error>> {
    let mut x = 20;
    for (subject, colour) in results.subjects.iter().zip(COLOURS.iter().cycle()) {
        area.draw(&Rectangle::new([(x, 82), (x + 12, 94)], colour.filled()))?;
        let style = ("sans-serif", 12).into_font().color(&BLACK);
        area.draw_text(subject.name(), &style, (x + 17, 82))?;
        x += 35 + subject.name().chars().count() as i32 * 7;
    }
    Ok(())
}
