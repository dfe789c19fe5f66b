// The windows of which an image is put together, the same numbers as inference/tiling.py plans. Plain Kotlin, nothing of Android.
//
// A network pads with zeros at the borders of what it is given. So every window carries a halo of as many pixels as the network sees to
// each side (receptive_field in the file's metadata), which is thrown away after enlarging; where a window's border is the image's own,
// nothing is.

/** One window along one axis, in pixels of the small image: it reads [start, start + window) and owns [first, last). */
data class Span(val start: Int, val first: Int, val last: Int)

/** Windows of one size along one axis. */
data class Axis(val window: Int, val spans: List<Span>)

/** For a file of any size: windows that each add about [tile] pixels; their number is the smallest that [tile] allows. */
fun planAxis(length: Int, halo: Int, tile: Int): Axis {
    if (length <= tile + 2 * halo) return Axis(length, listOf(Span(0, 0, length)))
    val inner = length - 2 * halo // the outermost windows also own the halo at the image's border, where none is needed
    val count = (inner + tile - 1) / tile
    val window = (inner + count - 1) / count + 2 * halo
    return Axis(window, place(length, window, halo))
}

/** For a file of fixed size: windows of exactly [window] pixels; a single one where the image is smaller. */
fun planFixedAxis(length: Int, halo: Int, window: Int): Axis {
    if (length <= window) return Axis(window, listOf(Span(0, 0, length)))
    require(window > 2 * halo) { "a window of $window pixels leaves nothing between two halos of $halo" }
    return Axis(window, place(length, window, halo))
}

/** Windows from left to right at equal steps, the last one moved back to end with the image. */
private fun place(length: Int, window: Int, halo: Int): List<Span> {
    val step = window - 2 * halo
    val count = (length - 2 * halo + step - 1) / step
    val starts = List(count) { minOf(it * step, length - window) }
    val firsts = starts.mapIndexed { index, start -> if (index == 0) 0 else start + halo }
    return starts.mapIndexed { index, start -> Span(start, firsts[index], firsts.getOrElse(index + 1) { length }) }
}

/** Where a pixel beyond the image's end is taken from, the image mirrored without repeating its edge: … c b | a b c | b a … */
fun mirrored(index: Int, length: Int): Int {
    if (length == 1) return 0
    val wrapped = index % (2 * (length - 1))
    return minOf(wrapped, 2 * (length - 1) - wrapped)
}
