"""The examples' windows against inference/tiling.py, number by number, where their compilers are
installed.
"""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from inference.tiling import plan_axis, plan_fixed_axis

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
OPEN = [(length, halo, tile) for length in (1, 59, 212, 213, 400, 4000) for halo in (0, 5, 10) for tile in (1, 7, 192)]
FIXED = [(length, halo, window) for length in (1, 30, 64, 65, 400, 4001) for halo in (0, 5, 10) for window in (21, 64)]
MIRRORED = [(index, length) for length in (1, 2, 3, 50) for index in range(130)]

KOTLIN = """
fun main() {
    fun shown(axis: Axis) = "[${axis.window}, [" + axis.spans.joinToString { "[${it.start}, ${it.first}, ${it.last}]" } + "]]"
    for (line in generateSequence(::readLine)) {
        val (kind, a, b, c) = line.split(" ")
        val (x, y, z) = listOf(a.toInt(), b.toInt(), c.toInt())
        println(when (kind) { "open" -> shown(planAxis(x, y, z)) "fixed" -> shown(planFixedAxis(x, y, z)) else -> mirrored(x, y) })
    }
}
"""
SWIFT = """
func shown(_ axis: Axis) -> String { "[\\(axis.window), \\(axis.spans.map { [$0.start, $0.first, $0.last] })]" }
while let line = readLine() {
    let words = line.split(separator: " ").map(String.init)
    let (x, y, z) = (Int(words[1])!, Int(words[2])!, Int(words[3])!)
    switch words[0] {
    case "open": print(shown(planAxis(length: x, halo: y, tile: z)))
    case "fixed": print(shown(planFixedAxis(length: x, halo: y, window: z)))
    default: print(mirrored(x, length: y))
    }
}
"""


def compiled(folder, language):
    """The command that runs the example's tiling behind a main program of ours."""
    source, program = {"kotlin": ("android/Tiling.kt", "Main.kt"), "swift": ("ios/Tiling.swift", "main.swift")}[
        language
    ]
    compiler = shutil.which({"kotlin": "kotlinc", "swift": "swiftc"}[language])
    if compiler is None:
        pytest.skip(f"no compiler of {language} is installed")
    (folder / program).write_text(KOTLIN if language == "kotlin" else SWIFT)
    sources = [str(EXAMPLES / source), str(folder / program)]
    made = folder / ("tiling.jar" if language == "kotlin" else "tiling")
    words = ["-include-runtime", "-d", str(made)] if language == "kotlin" else ["-o", str(made)]
    subprocess.run([compiler, *sources, *words], check=True, timeout=900)
    return ["java", "-jar", str(made)] if language == "kotlin" else [str(made)]


@pytest.mark.slow
@pytest.mark.parametrize("language", ["kotlin", "swift"])
def test_windows_are_those_of_inference(language, tmp_path):
    command = compiled(tmp_path, language)
    asked = [("open", *case) for case in OPEN] + [("fixed", *case) for case in FIXED]
    asked += [("mirrored", *case, 0) for case in MIRRORED]
    lines = "".join(" ".join(map(str, words)) + "\n" for words in asked)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=120)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    planned = [plan_axis(length, halo=halo, tile=tile) for length, halo, tile in OPEN]
    for length, halo, window in FIXED:
        planned.append((window, plan_fixed_axis(length, halo=halo, window=window)))
    expected = [[window, [list(span) for span in spans]] for window, spans in planned]
    expected += [int(np.pad(np.arange(length), (0, index), mode="reflect")[index]) for index, length in MIRRORED]
    assert answers == expected
