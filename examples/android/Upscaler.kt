// Upscales a bitmap with an int8 file exported by `export_tflite.py --quantize=int8 --height=180 --width=320`.
//
// The contract, as the file's metadata states it: input [1, 180, 320, 3] uint8 RGB in [0, 255], output [1, 720, 1280, 3] uint8 RGB in [0, 255].
// Put student.int8.tflite into src/main/assets and add to build.gradle.kts:
//     implementation("com.google.ai.edge.litert:litert:1.4.0")
// Text to start from: it was not compiled as part of this project's tests.

import android.content.Context
import android.graphics.Bitmap
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import org.tensorflow.lite.Interpreter

class Upscaler(context: Context, name: String = "student.int8.tflite") {
    private val interpreter = context.assets.openFd(name).use { file ->
        val model = file.createInputStream().channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
        Interpreter(model, Interpreter.Options().setNumThreads(4))
    }

    /** [lr] has the file's input size; the result is `scale` times as wide and high. */
    fun upscale(lr: Bitmap): Bitmap {
        val (_, height, width, _) = interpreter.getOutputTensor(0).shape()
        val input = ByteBuffer.allocateDirect(lr.width * lr.height * 3).order(ByteOrder.nativeOrder())
        val pixels = IntArray(lr.width * lr.height)
        lr.getPixels(pixels, 0, lr.width, 0, 0, lr.width, lr.height)
        for (pixel in pixels) {
            input.put((pixel shr 16).toByte()).put((pixel shr 8).toByte()).put(pixel.toByte())
        }
        input.rewind()
        val output = ByteBuffer.allocateDirect(width * height * 3).order(ByteOrder.nativeOrder())
        interpreter.run(input, output)
        output.rewind()
        val larger = IntArray(width * height) {
            val red = output.get().toInt() and 0xFF
            val green = output.get().toInt() and 0xFF
            val blue = output.get().toInt() and 0xFF
            (0xFF shl 24) or (red shl 16) or (green shl 8) or blue
        }
        return Bitmap.createBitmap(larger, width, height, Bitmap.Config.ARGB_8888)
    }

    private operator fun IntArray.component4() = this[3]
}
