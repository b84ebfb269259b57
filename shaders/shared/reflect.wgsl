// The position inside 0..length that `position - radius` stands for, borders reflected with the edge
// repeated.
fn reflected(position: u32, radius: u32, length: u32) -> u32 {
    let period = 2u * length;
    let inside = (position + period - radius % period) % period;
    return min(inside, period - 1u - inside);
}
