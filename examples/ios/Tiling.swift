// The windows of which an image is put together, the same numbers as inference/tiling.py plans. Plain Swift.
//
// A network pads with zeros at the borders of what it is given. So every window carries a halo of as many pixels as the network sees to
// each side (receptive_field in the file's metadata), which is thrown away after enlarging; where a window's border is the image's own,
// nothing is.

/// One window along one axis, in pixels of the small image: it reads [start, start + window) and owns [first, last).
struct Span: Equatable {
    let start, first, last: Int
}

/// Windows of one size along one axis.
struct Axis: Equatable {
    let window: Int
    let spans: [Span]
}

/// For a file of any size: windows that each add about `tile` pixels; their number is the smallest that `tile` allows.
func planAxis(length: Int, halo: Int, tile: Int) -> Axis {
    if length <= tile + 2 * halo { return Axis(window: length, spans: [Span(start: 0, first: 0, last: length)]) }
    let inner = length - 2 * halo // the outermost windows also own the halo at the image's border, where none is needed
    let count = (inner + tile - 1) / tile
    let window = (inner + count - 1) / count + 2 * halo
    return Axis(window: window, spans: place(length: length, window: window, halo: halo))
}

/// For a file of fixed size: windows of exactly `window` pixels; a single one where the image is smaller.
func planFixedAxis(length: Int, halo: Int, window: Int) -> Axis {
    if length <= window { return Axis(window: window, spans: [Span(start: 0, first: 0, last: length)]) }
    precondition(window > 2 * halo, "a window of \(window) pixels leaves nothing between two halos of \(halo)")
    return Axis(window: window, spans: place(length: length, window: window, halo: halo))
}

/// Windows from left to right at equal steps, the last one moved back to end with the image.
private func place(length: Int, window: Int, halo: Int) -> [Span] {
    let step = window - 2 * halo
    let count = (length - 2 * halo + step - 1) / step
    let starts = (0..<count).map { min($0 * step, length - window) }
    let firsts = starts.enumerated().map { $0.offset == 0 ? 0 : $0.element + halo }
    return starts.enumerated().map { index, start in
        Span(start: start, first: firsts[index], last: index + 1 < count ? firsts[index + 1] : length)
    }
}

/// Where a pixel beyond the image's end is taken from, the image mirrored without repeating its edge: … c b | a b c | b a …
func mirrored(_ index: Int, length: Int) -> Int {
    if length == 1 { return 0 }
    let wrapped = index % (2 * (length - 1))
    return min(wrapped, 2 * (length - 1) - wrapped)
}
