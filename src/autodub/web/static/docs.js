// The page is complete without this: it adds finding, copying, and a mark where one is reading.
"use strict";

const find = document.getElementById("find");
const links = [...document.querySelectorAll("nav li a")];
find.hidden = false;
find.addEventListener("input", () => {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const link of links) {
    link.parentElement.hidden = !words.every((word) => link.dataset.find.includes(word));
  }
  for (const group of document.querySelectorAll("nav section")) {
    const items = [...group.querySelectorAll("li")];
    group.hidden = items.length > 0 && items.every((item) => item.hidden);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== find) {
    event.preventDefault();
    find.focus();
  }
});

if (navigator.clipboard) {
  for (const figure of document.querySelectorAll("figure")) {
    const button = document.createElement("button");
    button.className = "copy";
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(figure.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    figure.append(button);
  }
}

const byId = new Map(links.map((link) => [link.hash.slice(1), link]));
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting || !byId.has(entry.target.id)) continue;
    links.forEach((link) => link.classList.remove("here"));
    const link = byId.get(entry.target.id);
    link.classList.add("here");
    link.scrollIntoView({ block: "nearest" });
  }
}, { rootMargin: "0px 0px -75% 0px" });
document.querySelectorAll("article[id]").forEach((article) => watcher.observe(article));
