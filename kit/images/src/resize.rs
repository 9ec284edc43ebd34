//! Makes pictures smaller: Catmull-Rom, stretched to the ratio of the sizes, first horizontally and then vertically.
//!
//! The rows of the picture are read once, in order. Only the few rows of the smaller picture to which the present row
//! contributes are in memory, so the workspace does not grow with the picture.

use std::collections::VecDeque;

use crate::picture::Layout;

/// How far the filter reaches, in pixels of the smaller picture.
const REACH: f32 = 2.0;

/// Colours are scaled by how opaque they are, so that transparent pixels do not shine through.
type Pixel = [f32; 4];

/// The pixels that one pixel of the smaller picture is made of, and the share of each.
struct Share {
    first: usize,
    weights: Vec<f32>,
}

/// The bytes of the picture at a smaller size.
pub(crate) fn resize(bytes: &[u8], layout: Layout, from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
    let (wide, narrow) = (from.0 as usize, to.0 as usize);
    let across = shares(from.0, to.0);
    let mut down = shares(from.1, to.1).into_iter();
    let mut row = vec![Pixel::default(); wide];
    let mut narrowed = vec![Pixel::default(); narrow];
    let mut open: VecDeque<(Share, Vec<Pixel>)> = VecDeque::new();
    let mut next = down.next();
    let mut resized = Vec::with_capacity(narrow * to.1 as usize * layout.channels());
    for (y, source) in bytes.chunks_exact(wide * layout.channels()).enumerate() {
        read_row(source, layout, &mut row);
        narrow_row(&row, &across, &mut narrowed);
        while let Some(share) = next.take_if(|share| share.first <= y) {
            open.push_back((share, vec![Pixel::default(); narrow]));
            next = down.next();
        }
        for (share, sums) in &mut open {
            let Some(weight) = y.checked_sub(share.first).and_then(|at| share.weights.get(at)) else {
                continue;
            };
            for (sum, pixel) in sums.iter_mut().zip(&narrowed) {
                add(sum, pixel, *weight);
            }
        }
        while let Some((_, sums)) = open.pop_front_if(|(share, _)| share.first + share.weights.len() <= y + 1)
        {
            write_row(&sums, layout, &mut resized);
        }
    }
    resized
}

/// For each of `to` pixels, the pixels of `from` that contribute to it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "sides are at most 65,535: a float holds them exactly, and the ends are clamped to them"
)]
fn shares(from: u32, to: u32) -> Vec<Share> {
    let scale = from as f32 / to as f32;
    let reach = REACH * scale;
    let share = |pixel: u32| {
        let center = (pixel as f32 + 0.5) * scale;
        let first = (center - reach + 0.5).max(0.0) as usize;
        let end = ((center + reach + 0.5) as usize).min(from as usize);
        let weight = |at: usize| catmull_rom((at as f32 + 0.5 - center) / scale);
        let mut weights: Vec<f32> = (first..end).map(weight).collect();
        let sum: f32 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Share { first, weights }
    };
    (0..to).map(share).collect()
}

fn catmull_rom(distance: f32) -> f32 {
    let x = distance.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

fn add(sum: &mut Pixel, pixel: &Pixel, weight: f32) {
    for (sum, value) in sum.iter_mut().zip(pixel) {
        *sum += value * weight;
    }
}

fn narrow_row(row: &[Pixel], across: &[Share], narrowed: &mut [Pixel]) {
    for (narrow, share) in narrowed.iter_mut().zip(across) {
        let mut sum = Pixel::default();
        for (pixel, weight) in row[share.first..].iter().zip(&share.weights) {
            add(&mut sum, pixel, *weight);
        }
        *narrow = sum;
    }
}

fn read_row(bytes: &[u8], layout: Layout, row: &mut [Pixel]) {
    let pixels = row.iter_mut().zip(bytes.chunks_exact(layout.channels()));
    match layout {
        Layout::Grey => pixels.for_each(|(pixel, grey)| pixel[0] = f32::from(grey[0])),
        Layout::Rgb => pixels.for_each(|(pixel, rgb)| *pixel = [rgb[0], rgb[1], rgb[2], 0].map(f32::from)),
        Layout::Rgba => pixels.for_each(|(pixel, rgba)| {
            let alpha = f32::from(rgba[3]);
            let colour = |at: usize| f32::from(rgba[at]) * (alpha / 255.0);
            *pixel = [colour(0), colour(1), colour(2), alpha];
        }),
    }
}

fn write_row(row: &[Pixel], layout: Layout, bytes: &mut Vec<u8>) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float becomes the nearest byte there is"
    )]
    let byte = |value: f32| (value + 0.5) as u8;
    for pixel in row {
        match layout {
            Layout::Grey => bytes.push(byte(pixel[0])),
            Layout::Rgb => bytes.extend([byte(pixel[0]), byte(pixel[1]), byte(pixel[2])]),
            Layout::Rgba => {
                let alpha = pixel[3].clamp(0.0, 255.0);
                let opaque = if alpha > 0.0 { 255.0 / alpha } else { 0.0 };
                let colour = |at: usize| byte(pixel[at] * opaque);
                bytes.extend([colour(0), colour(1), colour(2), byte(alpha)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_a_pixel_are_one_whole_and_lie_within_the_picture() {
        for (from, to) in [(2, 1), (7, 3), (300, 64), (16_384, 1), (16_384, 1024), (65_535, 64)] {
            let all = shares(from, to);
            assert_eq!(all.len(), to as usize);
            for share in &all {
                let sum: f32 = share.weights.iter().sum();
                assert!((sum - 1.0).abs() < 1e-3, "{from} to {to}: {sum}");
                assert!(share.first + share.weights.len() <= from as usize && !share.weights.is_empty());
            }
        }
    }

    #[test]
    fn a_plain_picture_stays_plain_and_every_row_is_written() {
        for (layout, pixel) in
            [(Layout::Grey, &[77][..]), (Layout::Rgb, &[200, 0, 255]), (Layout::Rgba, &[200, 7, 255, 100])]
        {
            for (from, to) in
                [((300, 200), (64, 43)), ((9, 5), (1, 1)), ((3, 400), (1, 64)), ((400, 1), (64, 1))]
            {
                let pixels = |(width, height): (u32, u32)| usize::try_from(width * height).unwrap();
                let resized = resize(&pixel.repeat(pixels(from)), layout, from, to);
                assert_eq!(resized.len(), pixel.len() * pixels(to));
                let near = |(one, other): (&u8, &u8)| one.abs_diff(*other) <= 1;
                assert!(resized.chunks_exact(pixel.len()).all(|made| made.iter().zip(pixel).all(near)));
            }
        }
    }

    #[test]
    fn edges_stay_where_they_are_and_transparent_colours_do_not_shine_through() {
        let halves = |left: [u8; 4], right: [u8; 4]| -> Vec<u8> {
            (0..10).flat_map(|_| [left.repeat(50), right.repeat(50)].concat()).collect()
        };
        let sharp = resize(&halves([0, 0, 0, 255], [255, 255, 255, 255]), Layout::Rgba, (100, 10), (10, 1));
        assert!(sharp[4 * 4] <= 20 && sharp[4 * 5] >= 235, "{sharp:?}");
        // Invisible white beside visible red.
        let hidden = resize(&halves([255, 0, 0, 255], [255, 255, 255, 0]), Layout::Rgba, (100, 10), (9, 1));
        assert!(hidden.chunks(4).all(|pixel| pixel[3] == 0 || pixel[1] <= 1), "{hidden:?}");
    }
}
