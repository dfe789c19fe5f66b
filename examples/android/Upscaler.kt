// Enlarges a Bitmap of any size with a file that export_tflite.py wrote, float or int8, of any size or of a fixed one.
//
// Put the .tflite file into src/main/assets, this file and Tiling.kt into the sources, and into build.gradle.kts:
//     android { androidResources { noCompress += "tflite" } }
//     dependencies { implementation("com.google.ai.edge.litert:litert:1.4.2") }
// docs/mobile.md says which file suits which phone, and what of this text was compiled.

import android.content.Context
import android.graphics.Bitmap
import android.os.Build
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter

/** halo: "receptive_field" in the file's metadata. One thread at a time: an interpreter holds one set of buffers. */
class Upscaler(context: Context, name: String, private val halo: Int, threads: Int = 4) : AutoCloseable {
    private val interpreter = context.assets.openFd(name).use { file ->
        val channel = file.createInputStream().channel
        val model = channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
        Interpreter(model, Interpreter.Options().setNumThreads(threads))
    }
    private val floats = interpreter.getInputTensor(0).dataType() == DataType.FLOAT32
    private val anySize = interpreter.getInputTensor(0).shapeSignature()[1] < 0
    private var height = interpreter.getInputTensor(0).shape()[1]
    private var width = interpreter.getInputTensor(0).shape()[2]
    private val scale = interpreter.getOutputTensor(0).shape()[1] / height

    /** The image, scale times as wide and high, opaque. [tile]: pixels that a window adds; more takes more memory, the result is the same. */
    fun upscale(image: Bitmap, tile: Int = 192): Bitmap {
        val lr = readable(image)
        val rows = if (anySize) planAxis(lr.height, halo, tile) else planFixedAxis(lr.height, halo, height)
        val columns = if (anySize) planAxis(lr.width, halo, tile) else planFixedAxis(lr.width, halo, width)
        if (anySize) resize(rows.window, columns.window)
        val input = buffer(height * width)
        val output = buffer(height * width * scale * scale)
        val sr = Bitmap.createBitmap(lr.width * scale, lr.height * scale, Bitmap.Config.ARGB_8888)
        for (row in rows.spans) for (column in columns.spans) {
            fill(input, lr, row.start, column.start)
            output.rewind()
            interpreter.run(input, output)
            draw(output, sr, row, column)
        }
        return sr
    }

    override fun close() = interpreter.close()

    /** A copy that getPixels may read, where the bitmap lies in the graphics memory (HARDWARE) or in another form. */
    private fun readable(image: Bitmap): Bitmap {
        val hardware = Build.VERSION.SDK_INT >= 26 && image.config == Bitmap.Config.HARDWARE
        return if (hardware || image.config != Bitmap.Config.ARGB_8888) image.copy(Bitmap.Config.ARGB_8888, false) else image
    }

    private fun resize(newHeight: Int, newWidth: Int) {
        if (newHeight == height && newWidth == width) return
        interpreter.resizeInput(0, intArrayOf(1, newHeight, newWidth, 3))
        interpreter.allocateTensors()
        height = newHeight
        width = newWidth
    }

    private fun buffer(pixels: Int): ByteBuffer =
        ByteBuffer.allocateDirect(pixels * 3 * if (floats) 4 else 1).order(ByteOrder.nativeOrder())

    /** The window that begins there, mirrored where it reaches beyond the image. */
    private fun fill(input: ByteBuffer, lr: Bitmap, top: Int, left: Int) {
        val line = IntArray(lr.width)
        input.rewind()
        for (y in top until top + height) {
            lr.getPixels(line, 0, lr.width, 0, mirrored(y, lr.height), lr.width, 1)
            for (x in left until left + width) {
                val pixel = line[mirrored(x, lr.width)]
                for (shift in intArrayOf(16, 8, 0)) {
                    val value = (pixel shr shift) and 0xFF
                    if (floats) input.putFloat(value / 255f) else input.put(value.toByte())
                }
            }
        }
        input.rewind()
    }

    /** What the window owns, without its halo. */
    private fun draw(output: ByteBuffer, sr: Bitmap, row: Span, column: Span) {
        val line = IntArray((column.last - column.first) * scale)
        for (y in (row.first - row.start) * scale until (row.last - row.start) * scale) {
            var at = 3 * (y * width * scale + (column.first - column.start) * scale)
            for (x in line.indices) {
                line[x] = (0xFF shl 24) or (level(output, at) shl 16) or (level(output, at + 1) shl 8) or level(output, at + 2)
                at += 3
            }
            sr.setPixels(line, 0, line.size, column.first * scale, row.start * scale + y, line.size, 1)
        }
    }

    /** The value at that place, of 255, rounded half up; a float file's output is clipped to [0, 1]. */
    private fun level(output: ByteBuffer, at: Int): Int =
        if (floats) (output.getFloat(4 * at) * 255f + 0.5f).toInt() else output.get(at).toInt() and 0xFF
}
