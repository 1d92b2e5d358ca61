// The cartoon host: five animals, four moods, drawn from circles and paths.

const NS = "http://www.w3.org/2000/svg";
const COLOURS = {
  fox: { fur: "#e8833a", soft: "#fdf0e2", dark: "#7a3d12" },
  rabbit: { fur: "#b9a89a", soft: "#f6efe9", dark: "#5c4a3d" },
  cat: { fur: "#6d7f99", soft: "#e9eef6", dark: "#33415a" },
  bear: { fur: "#9a6b43", soft: "#f0dcc6", dark: "#553517" },
  owl: { fur: "#7d6aa8", soft: "#efe9fb", dark: "#43345f" },
};
const MOUTHS = {
  happy: "M142 196 Q160 214 178 196", calm: "M146 200 Q160 207 174 200",
  unsure: "M146 204 Q154 198 162 203 T176 201", worried: "M145 208 Q160 195 175 208",
};
const BROWS = {
  happy: ["M122 140 Q132 132 142 138", "M178 138 Q188 132 198 140"],
  calm: ["M122 142 Q132 138 142 141", "M178 141 Q188 138 198 142"],
  unsure: ["M122 138 Q132 138 142 143", "M178 135 Q188 128 198 133"],
  worried: ["M122 145 Q132 140 143 133", "M177 133 Q188 140 198 145"],
};

function shape(name, attributes, parent) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

function ears(parent, animal, c) {
  if (animal === "rabbit") {
    for (const [x, turn] of [[132, -10], [188, 10]]) {
      shape("ellipse", { cx: x, cy: 70, rx: 17, ry: 52, fill: c.fur, transform: `rotate(${turn} ${x} 110)` }, parent);
      shape("ellipse", { cx: x, cy: 74, rx: 8, ry: 36, fill: "#f3c9c4", transform: `rotate(${turn} ${x} 110)` }, parent);
    }
  } else if (animal === "bear") {
    for (const x of [106, 214]) {
      shape("circle", { cx: x, cy: 112, r: 24, fill: c.fur }, parent);
      shape("circle", { cx: x, cy: 112, r: 12, fill: c.soft }, parent);
    }
  } else if (animal === "owl") {
    shape("path", { d: "M98 132 L96 84 L140 110 Z M222 132 L224 84 L180 110 Z", fill: c.dark }, parent);
  } else {
    shape("path", { d: "M96 140 L94 78 L146 112 Z M224 140 L226 78 L174 112 Z", fill: c.fur, "stroke-linejoin": "round", stroke: c.fur, "stroke-width": 6 }, parent);
    shape("path", { d: "M104 122 L103 94 L128 111 Z M216 122 L217 94 L192 111 Z", fill: animal === "fox" ? c.dark : "#f3c9c4" }, parent);
  }
}

function room(parent) {
  shape("rect", { width: 320, height: 240, fill: "#dbe7f7" }, parent);
  shape("rect", { y: 196, width: 320, height: 44, fill: "#c3b49e" }, parent);
  shape("rect", { x: 20, y: 24, width: 66, height: 62, rx: 6, fill: "#35548a" }, parent);
  shape("circle", { cx: 64, cy: 46, r: 10, fill: "#fff4c9" }, parent);
  shape("path", { d: "M53 24 V86 M20 55 H86", stroke: "#f7fafe", "stroke-width": 4 }, parent);
  shape("rect", { x: 252, y: 38, width: 48, height: 36, rx: 4, fill: "#fff", stroke: "#8a765c", "stroke-width": 4 }, parent);
  shape("path", { d: "M258 68 L272 50 L282 62 L288 56 L295 68 Z", fill: "#7db08a" }, parent);
  shape("path", { d: "M276 196 V160 M276 172 Q262 160 258 146 Q276 150 276 172 Q278 150 296 148 Q292 164 276 172", stroke: "#3f7d54", "stroke-width": 4, fill: "#5fa576" }, parent);
  shape("path", { d: "M262 196 H290 L286 218 H266 Z", fill: "#b5654a" }, parent);
}

function face(parent, animal, mood, c) {
  shape("ellipse", { cx: 160, cy: 168, rx: 70, ry: 60, fill: c.fur }, parent);
  if (animal === "owl") {
    for (const x of [132, 188]) shape("circle", { cx: x, cy: 160, r: 29, fill: c.soft }, parent);
  } else {
    shape("ellipse", { cx: 160, cy: 194, rx: 40, ry: 30, fill: c.soft }, parent);
  }
  const eyes = shape("g", { class: "eyes" }, parent);
  for (const x of [132, 188]) {
    shape("ellipse", { cx: x, cy: 160, rx: 9, ry: mood === "happy" ? 10 : 11, fill: "#22262e" }, eyes);
    shape("circle", { cx: x + 3, cy: 156, r: 3, fill: "#fff" }, eyes);
  }
  for (const d of BROWS[mood]) shape("path", { d, stroke: c.dark, "stroke-width": 5, "stroke-linecap": "round", fill: "none" }, parent);
  if (animal === "owl") shape("path", { d: "M150 172 H170 L160 190 Z", fill: "#f0b445" }, parent);
  else shape("ellipse", { cx: 160, cy: 180, rx: 9, ry: 6, fill: "#22262e" }, parent);
  const mouth = shape("path", { d: MOUTHS[mood], stroke: "#22262e", "stroke-width": 4, "stroke-linecap": "round", fill: "none" }, parent);
  if (animal === "owl") mouth.setAttribute("transform", "translate(0 4)");
  if (mood === "happy") for (const x of [108, 212]) shape("circle", { cx: x, cy: 184, r: 9, fill: "#f2a49a", opacity: 0.6 }, parent);
  if (mood === "worried") shape("path", { d: "M222 136 Q229 148 222 152 Q215 148 222 136", fill: "#7fb6ea" }, parent);
}

/** Draw the host into an <svg>; `label` is what a screen reader says. */
export function drawHost(svg, animal, mood, label) {
  const c = COLOURS[animal];
  svg.setAttribute("viewBox", "0 0 320 240");
  svg.setAttribute("preserveAspectRatio", "xMidYMid slice");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.replaceChildren();
  room(svg);
  const whole = shape("g", { class: `host ${mood}` }, shape("g", { transform: "translate(0 -30)" }, svg));
  shape("path", { d: "M70 280 Q88 206 160 206 Q232 206 250 280 Z", fill: c.dark }, whole);
  ears(whole, animal, c);
  face(whole, animal, mood, c);
}
