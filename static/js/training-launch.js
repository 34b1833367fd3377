// "Start training": choosing a preset fills in the stages' fields; whoever changes a field afterwards keeps the change.
const form = document.getElementById("launch");
const read = (id) => JSON.parse(document.getElementById(id)?.textContent || "{}");

if (form) {
  const presets = read("launch-presets");
  const defaults = read("launch-defaults");

  form.addEventListener("change", (event) => {
    if (event.target.name !== "preset") return;
    const chosen = presets[event.target.value] || {};
    for (const field of form.elements) {
      const [stage, ...rest] = (field.name || "").split("-");
      if (!rest.length || !Object.values(presets).some((preset) => stage in preset)) continue;
      const name = rest.join("-");
      const value = chosen[stage]?.[name] ?? defaults[field.name];
      if (field.type === "checkbox") field.checked = Boolean(value);
      else field.value = value ?? "";
    }
  });
}
