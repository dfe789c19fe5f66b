// The list of students: what each is, how large its file is, how long it took here.

/** What `python -m web.build` found: see web/README.md for the entries. */
export async function loadStudents() {
  const response = await fetch("students.json");
  if (!response.ok) throw new Error(`students.json: ${response.status} ${response.statusText}; build the page with make web`);
  return response.json();
}

export class StudentList {
  #rows = new Map(); // name: { input, time }

  /** Fills `list`, a <fieldset>, with one radio button for each student. onChange(student): the visitor chose another. */
  constructor(list, students, onChange) {
    for (const student of students) {
      const input = element("input", { type: "radio", name: "student", value: student.name });
      input.addEventListener("change", () => onChange(student));
      const time = element("span", { className: "time" });
      const label = element("label", { className: "student" });
      label.append(
        input,
        element("span", { className: "name", textContent: student.name }),
        element("span", { className: "form", textContent: `${student.quantize}, ${formatBytes(student.bytes)}` }),
        time,
      );
      list.append(label);
      this.#rows.set(student.name, { input, time });
    }
  }

  choose(student) {
    this.#rows.get(student.name).input.checked = true;
  }

  showTime(student, milliseconds) {
    this.#rows.get(student.name).time.textContent = formatTime(milliseconds);
  }

  clearTimes() {
    for (const { time } of this.#rows.values()) time.textContent = "";
  }
}

export function formatTime(milliseconds) {
  return milliseconds < 10_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

function formatBytes(bytes) {
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function element(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}
