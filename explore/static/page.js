// Nothing here is needed: / puts the cursor into the field to search in, a picture can be dropped anywhere on the form.
"use strict";
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  const field = document.querySelector("input[type=search]");
  if (event.key === "/" && !typing && field) { event.preventDefault(); field.focus(); field.select(); }
});
for (const own of document.querySelectorAll(".own")) {
  const file = own.querySelector("input"), search = () => { if (file.files.length) file.form.requestSubmit(own.querySelector("button")); };
  const over = (on) => (event) => { event.preventDefault(); own.classList.toggle("over", on); };
  own.addEventListener("dragover", over(true));
  own.addEventListener("dragleave", over(false));
  own.addEventListener("drop", (event) => {
    over(false)(event);
    file.files = event.dataTransfer.files;
    search();
  });
  file.addEventListener("change", search);
}
// An address to share holds what was asked, not every field that was left as it was.
for (const form of document.querySelectorAll("form[role=search]")) {
  form.addEventListener("submit", ({ submitter: button }) => {
    const all = [...form.querySelectorAll("input[name=kind]")].every((box) => box.checked);
    for (const field of form.elements) {
      const plain = !field.value || (field.name === "top" && field.value === "12") || (field.name === "kind" && all);
      if (field.name && field.name !== "q" && plain) field.disabled = true;
      if (field.type === "file" && button?.formMethod !== "post") field.disabled = true;
    }
    setTimeout(() => { for (const field of form.elements) field.disabled = false; });
    if (!button || !form.elements.q) return;
    // The first text, and the first picture, wait for the model to be loaded.
    const name = button.textContent, busy = (on) => { button.textContent = on ? "Searching …" : name; button.ariaBusy = on; };
    busy(true);
    addEventListener("pageshow", () => busy(false), { once: true });  // one came back
  });
}
