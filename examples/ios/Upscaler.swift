// Upscales pixels with a file exported by `export_tflite.py --quantize=int8 --height=180 --width=320`.
//
// The contract, as the file's metadata states it: input [1, 180, 320, 3] uint8 RGB in [0, 255], output [1, 720, 1280, 3] uint8 RGB in [0, 255].
// Add student.int8.tflite to the app's bundle and the pod TensorFlowLiteSwift.
// Text to start from: it was not compiled as part of this project's tests.

import Foundation
import TensorFlowLite

final class Upscaler {
    private let interpreter: Interpreter

    init(name: String = "student.int8") throws {
        guard let path = Bundle.main.path(forResource: name, ofType: "tflite") else {
            throw CocoaError(.fileNoSuchFile)
        }
        var options = Interpreter.Options()
        options.threadCount = 4
        interpreter = try Interpreter(modelPath: path, options: options)
        try interpreter.allocateTensors()
    }

    /// rgb: 180 × 320 pixels, three bytes each, row by row. Returns 720 × 1280 pixels in the same order.
    func upscale(rgb: Data) throws -> Data {
        try interpreter.copy(rgb, toInputAt: 0)
        try interpreter.invoke()
        return try interpreter.output(at: 0).data
    }
}
