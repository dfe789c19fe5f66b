// The ways in which a picture comes: chosen, dropped, pasted, or the built-in one.

/** onPicture(a File, or a promise of one): a picture came by any of the ways. Highlights `page` while a file is held over it. */
export function listenForPictures({ page, fileInput, sampleButton, sampleUrl, onPicture }) {
  fileInput.addEventListener("change", () => {
    const [file] = fileInput.files;
    fileInput.value = ""; // so that the same file can be chosen again
    if (file) onPicture(file);
  });
  sampleButton.addEventListener("click", () => onPicture(download(sampleUrl)));
  document.addEventListener("paste", ({ clipboardData }) => clipboardData.files.length && onPicture(clipboardData.files[0]));
  listenForDrops(page, onPicture);
}

async function download(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return new File([await response.blob()], url);
}

function listenForDrops(page, onPicture) {
  let inside = 0; // elements of the page that the file is over: each is entered before the last one is left
  const highlight = (change) => page.classList.toggle("dropping", (inside = Math.max(0, inside + change)) > 0);
  page.addEventListener("dragenter", () => highlight(1));
  page.addEventListener("dragleave", () => highlight(-1));
  page.addEventListener("dragover", (event) => event.preventDefault()); // without it the browser opens the file
  page.addEventListener("drop", (event) => {
    event.preventDefault();
    highlight(-Infinity);
    if (event.dataTransfer.files.length) onPicture(event.dataTransfer.files[0]);
  });
}
