//! How full the nodes are that an estimate has read.

use crate::index::key::SLICE_LEN;

/// Layers and heights whose nodes are told apart; deeper and higher ones count for the last.
const LAYERS: usize = 12;
const HEIGHTS: usize = 6;

/// What nodes have where keys arrive in random order; roots of layers have less. Each counts as if one
/// such node was read.
const USUAL: f32 = 10.5;
const USUAL_ROOT: f32 = 5.0;
/// The relative variance of what nodes have.
const USUAL_VARIANCE: f32 = 0.06;

/// What the nodes of one kind have: an internode, children; a leaf, keys, with those in the layers below.
#[derive(Clone, Copy)]
struct Fill {
    nodes: f32,
    sum: f32,
    squares: f32,
}

impl Fill {
    const fn usual(usual: f32) -> Self {
        Self {
            nodes: 1.0,
            sum: usual,
            squares: usual * usual * (1.0 + USUAL_VARIANCE),
        }
    }

    fn mean(self) -> f64 {
        f64::from(self.sum / self.nodes)
    }

    /// The variance relative to the square of the mean.
    fn variance(self) -> f64 {
        let relative = self.squares * self.nodes / (self.sum * self.sum).max(f32::MIN_POSITIVE);
        f64::from((relative - 1.0).max(USUAL_VARIANCE / 2.0))
    }
}

/// The kind of a node.
#[derive(Clone, Copy)]
pub(super) struct Level {
    /// The bytes of key above the node's layer.
    pub(super) depth: usize,
    pub(super) is_root: bool,
    /// Levels of internodes, the node's own included.
    pub(super) height: u8,
}

impl Level {
    /// The level of a node's children.
    pub(super) fn below(self) -> Self {
        Self {
            is_root: false,
            height: self.height.saturating_sub(1),
            ..self
        }
    }
}

pub(super) struct Fills {
    /// By layer, by whether the nodes are roots, by height.
    fills: [[[Fill; HEIGHTS]; 2]; LAYERS],
}

impl Fills {
    pub(super) const fn new() -> Self {
        Self {
            fills: [[
                [Fill::usual(USUAL); HEIGHTS],
                [Fill::usual(USUAL_ROOT); HEIGHTS],
            ]; LAYERS],
        }
    }

    fn at(level: Level) -> (usize, usize, usize) {
        (
            (level.depth / SLICE_LEN).min(LAYERS - 1),
            usize::from(level.is_root),
            usize::from(level.height).min(HEIGHTS - 1),
        )
    }

    /// Adds a node.
    pub(super) fn note(&mut self, level: Level, parts: f64) {
        let (layer, is_root, height) = Self::at(level);
        let fill = &mut self.fills[layer][is_root][height];
        fill.nodes += 1.0;
        fill.sum += parts as f32;
        fill.squares += (parts * parts) as f32;
    }

    /// The fills of a node and of those below it in its layer.
    fn levels(&self, level: Level) -> impl Iterator<Item = Fill> {
        let below = (0..level.height).map(move |height| Level {
            is_root: false,
            height,
            ..level
        });
        below.chain([level]).map(|level| {
            let (layer, is_root, height) = Self::at(level);
            self.fills[layer][is_root][height]
        })
    }

    /// The number of keys below a node, if all nodes are like those that were read; and the relative
    /// variance of that.
    pub(super) fn usual(&self, level: Level) -> (f64, f64) {
        self.levels(level)
            .fold((1.0, 0.0), |(keys, variance), fill| {
                let of_mean = fill.variance() / f64::from(fill.nodes);
                (keys * fill.mean(), variance + fill.variance() + of_mean)
            })
    }

    /// The relative variance of the keys below one of the children of a node.
    pub(super) fn variance_below(&self, level: Level) -> f64 {
        let levels = self.levels(level).take(level.height.into());
        levels.map(Fill::variance).sum()
    }
}
