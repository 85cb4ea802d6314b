// Says what the sample under the pointer was. The page is whole without it.
for (const figure of document.querySelectorAll("figure[data-points]")) {
  const points = JSON.parse(figure.dataset.points);
  const svg = figure.querySelector("svg");
  if (!points.length) continue;
  const tip = figure.appendChild(document.createElement("div"));
  tip.className = "tip";
  const cursor = svg.appendChild(document.createElementNS(svg.namespaceURI, "line"));
  cursor.setAttribute("class", "cursor");
  const show = (event) => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const near = points.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a);
    for (const [name, value] of [["x1", near[0]], ["x2", near[0]], ["y1", 12], ["y2", 160]]) cursor.setAttribute(name, value);
    cursor.style.display = "";
    tip.textContent = near[2];
  };
  const hide = () => { cursor.style.display = "none"; tip.textContent = ""; };
  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerleave", hide);
  hide();
}
