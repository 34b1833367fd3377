// "Start training": choosing a preset fills in the method's settings; whoever changes a field afterwards keeps the change, also when another
// method has been looked at in between.
const form = document.getElementById("launch");
const read = (id) => JSON.parse(document.getElementById(id)?.textContent || "{}");
const typed = new Map(); // a setting's name → what was put in by hand

const isSetting = (field) => (field.name || "").includes("-") && field.closest("#method");

function put(field, value) {
  if (field.type === "checkbox") field.checked = Boolean(value);
  else field.value = value ?? "";
}

function fillIn(preset) {
  const chosen = read("launch-presets")[preset] || {};
  const defaults = read("launch-defaults");
  for (const field of form.elements) {
    if (!(field.name in defaults)) continue;
    const [stage, ...rest] = field.name.split("-");
    put(field, chosen[stage]?.[rest.join("-")] ?? defaults[field.name]);
    typed.delete(field.name);
  }
}

if (form) {
  form.addEventListener("change", ({ target }) => {
    document.getElementById("batch").replaceChildren(); // it was of what was chosen before
    if (target.name === "preset") fillIn(target.value);
    else if (isSetting(target)) typed.set(target.name, target.type === "checkbox" ? target.checked : target.value);
  });

  document.addEventListener("htmx:afterSwap", ({ target }) => {
    if (target.id !== "method") return;
    for (const field of target.querySelectorAll("[name]")) if (typed.has(field.name)) put(field, typed.get(field.name));
  });
}
