// Finding one of many tags: typing leaves those that have the words in their name, Enter puts the first of them on or off.
const box = document.querySelector("[data-tag-search]");

if (box) {
  const chips = [...box.parentElement.querySelectorAll("[data-tag]")];
  const said = box.parentElement.querySelector("[data-tag-found]");
  const words = () => box.value.trim().toLocaleLowerCase();
  const found = () => chips.filter((chip) => chip.dataset.tag.toLocaleLowerCase().includes(words()));

  function show() {
    const left = found();
    for (const chip of chips) chip.hidden = !left.includes(chip);
    said.textContent = left.length || !words() ? "" : "No tag has this in its name.";
  }

  function clear() {
    box.value = "";
    show();
  }

  box.addEventListener("input", (event) => {
    event.stopPropagation(); // nothing of the response has changed
    show();
  });
  box.addEventListener("keydown", (event) => {
    const plain = !(event.ctrlKey || event.metaKey);
    if (event.key === "Enter" && plain) {
      event.preventDefault(); // or it would submit
      const [first] = found();
      if (!words() || !first) return;
      first.querySelector("input").click();
      clear();
    } else if (event.key === "Escape" && box.value) {
      event.preventDefault();
      clear();
    }
  });
}
