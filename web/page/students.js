// The list of students: what each is, how large its file is, how long it took here.

/** What `python -m web.build` found: see web/README.md for the entries. */
export async function loadStudents() {
  const response = await fetch("students.json");
  if (!response.ok) throw new Error(`students.json: ${response.status} ${response.statusText}; build the page with make web`);
  return response.json();
}

export class StudentList {
  #rows = new Map(); // name: { input, time }

  /**
   * Fills `list`, a <fieldset>, with one radio button for each student: those with a choice first, in a visitor's words, the others under
   * `more`, a <details>. onChange(student): the visitor chose another.
   */
  constructor(list, more, students, onChange) {
    const chosen = students.some(({ choice }) => choice);
    for (const student of students) {
      const input = element("input", { type: "radio", name: "student", value: student.name });
      input.addEventListener("change", () => onChange(student));
      const time = element("span", { className: "time" });
      const label = element("label", { className: "student" });
      const facts = `${student.quantize}, ${formatBytes(student.bytes)}`;
      label.append(
        input,
        element("span", { className: "name", textContent: titleOf(student) }),
        element("span", { className: "form", textContent: student.choice ? student.about : facts }),
        time,
      );
      if (student.choice) label.title = `${student.name}, ${facts}`;
      (student.choice || !chosen ? list : more).append(label);
      this.#rows.set(student.name, { input, time });
    }
    more.hidden = !more.querySelector("label");
    list.append(more); // behind the choices
  }

  choose(student) {
    this.#rows.get(student.name).input.checked = true;
  }

  /** Each that has run keeps its time until another image comes. */
  showTime(student, milliseconds) {
    this.#rows.get(student.name).time.textContent = formatTime(milliseconds);
  }

  clearTimes() {
    for (const { time } of this.#rows.values()) time.textContent = "";
  }
}

/** "Faithful", say, or the network's name where it has no such word. */
export function titleOf(student) {
  return student.choice ?? student.name;
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
