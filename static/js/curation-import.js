// An upload leads on to the page where it is looked at; several of them stay in their list.
const gone = [];

document.addEventListener("upload:done", (event) => gone.push(event.detail.url));
document.addEventListener("upload:finished", () => {
  location.assign(gone.length === 1 ? gone[0] : location.href);
});
