// Enlarges a CGImage of any size with a file that export_tflite.py wrote, float or int8.
//
// Add the .tflite file, this file and Tiling.swift to the app, and to the Podfile:
//     use_frameworks!
//     pod 'TensorFlowLiteSwift'
// docs/mobile.md says which file suits which phone. This file was not compiled: no Swift compiler was at hand.

import CoreGraphics
import Foundation
import TensorFlowLite

enum UpscalerError: Error {
    case noContext, badOutput
}

/// One thread at a time: an interpreter holds one set of buffers.
final class Upscaler {
    private let interpreter: Interpreter
    private let halo: Int
    private let floats: Bool
    private let fixedSize: (height: Int, width: Int)?

    /// path: of the .tflite file. halo: "receptive_field" in its metadata. fixedSize: of a file that was exported with --height and --width.
    init(path: String, halo: Int, fixedSize: (height: Int, width: Int)? = nil, threads: Int = 2) throws {
        var options = Interpreter.Options()
        options.threadCount = threads
        interpreter = try Interpreter(modelPath: path, options: options)
        try interpreter.allocateTensors()
        floats = try interpreter.input(at: 0).dataType == .float32
        self.halo = halo
        self.fixedSize = fixedSize
    }

    /// The image, scale times as wide and high, opaque, sRGB. tile: pixels that a window adds; more takes more memory, the result is the same.
    func upscale(_ image: CGImage, tile: Int = 192) throws -> CGImage {
        let (width, height) = (image.width, image.height)
        let lr = try pixels(of: image)
        let rows = fixedSize.map { planFixedAxis(length: height, halo: halo, window: $0.height) } ?? planAxis(length: height, halo: halo, tile: tile)
        let columns = fixedSize.map { planFixedAxis(length: width, halo: halo, window: $0.width) } ?? planAxis(length: width, halo: halo, tile: tile)
        if fixedSize == nil {
            try interpreter.resizeInput(at: 0, to: [1, rows.window, columns.window, 3])
            try interpreter.allocateTensors()
        }
        let scale = try interpreter.output(at: 0).shape.dimensions[1] / rows.window
        var sr = [UInt8](repeating: 255, count: 4 * width * scale * height * scale)
        for row in rows.spans {
            for column in columns.spans {
                let bytes = (0..<rows.window).flatMap { y -> [UInt8] in
                    let line = mirrored(row.start + y, length: height) * width
                    return (0..<columns.window).flatMap { x -> ArraySlice<UInt8> in
                        let at = 4 * (line + mirrored(column.start + x, length: width))
                        return lr[at..<at + 3]
                    }
                }
                try interpreter.copy(input(bytes), toInputAt: 0)
                try interpreter.invoke()
                let levels = try output(count: 3 * rows.window * columns.window * scale * scale)
                for y in (row.first - row.start) * scale..<(row.last - row.start) * scale {
                    for x in (column.first - column.start) * scale..<(column.last - column.start) * scale {
                        let from = 3 * (y * columns.window * scale + x)
                        let to = 4 * ((row.start * scale + y) * width * scale + column.start * scale + x)
                        sr.replaceSubrange(to..<to + 3, with: levels[from..<from + 3])
                    }
                }
            }
        }
        return try self.image(of: &sr, width: width * scale, height: height * scale)
    }

    private func input(_ bytes: [UInt8]) -> Data {
        guard floats else { return Data(bytes) }
        return bytes.map { Float32($0) / 255 }.withUnsafeBytes { Data($0) }
    }

    /// The network's output in levels of 255, rounded half up; a float file's output is clipped to [0, 1].
    private func output(count: Int) throws -> [UInt8] {
        let data = try interpreter.output(at: 0).data
        guard data.count == count * (floats ? 4 : 1) else { throw UpscalerError.badOutput }
        guard floats else { return [UInt8](data) }
        return data.withUnsafeBytes { $0.bindMemory(to: Float32.self).map { UInt8($0 * 255 + 0.5) } }
    }

    /// RGBX, eight bits each, row by row, whatever form the image has.
    private func pixels(of image: CGImage) throws -> [UInt8] {
        var pixels = [UInt8](repeating: 255, count: 4 * image.width * image.height)
        try withContext(&pixels, width: image.width, height: image.height) {
            $0.draw(image, in: CGRect(x: 0, y: 0, width: image.width, height: image.height))
        }
        return pixels
    }

    private func image(of pixels: inout [UInt8], width: Int, height: Int) throws -> CGImage {
        let made = try withContext(&pixels, width: width, height: height) { $0.makeImage() } // a copy
        guard let made else { throw UpscalerError.noContext }
        return made
    }

    private func withContext<T>(_ pixels: inout [UInt8], width: Int, height: Int, _ body: (CGContext) -> T) throws -> T {
        try pixels.withUnsafeMutableBytes { bytes in
            guard let space = CGColorSpace(name: CGColorSpace.sRGB),
                let context = CGContext(
                    data: bytes.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width, space: space,
                    bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
            else { throw UpscalerError.noContext }
            return body(context)
        }
    }
}
