/* page.js — the two things of the report that move: walks behind their sliders, and curves. */
"use strict";

/* Shows point t of the sheet behind a frame: sheets have `columns` images a row. */
function showPoint(frame, t) {
    const columns = +frame.dataset.columns, rows = +frame.dataset.rows;
    const x = columns > 1 ? (t % columns) / (columns - 1) * 100 : 0;
    const y = rows > 1 ? Math.floor(t / columns) / (rows - 1) * 100 : 0;
    frame.style.backgroundPosition = x + "% " + y + "%";
}

/* A walk's whole sheet, one row of it after the other: a frame stretched over all its columns. */
function makeStrips(walk, frames) {
    const strips = walk.querySelector(".strips");
    for (const frame of frames) {
        const rows = +frame.dataset.rows, columns = +frame.dataset.columns;
        const [width, height] = frame.style.aspectRatio.split("/").map(Number);
        for (let row = 0; row < rows; row++) {
            const strip = frame.cloneNode();
            strip.className = "strip";
            strip.style.width = columns * 72 + "px";
            strip.style.aspectRatio = columns * width + "/" + height;
            strip.style.backgroundSize = "100% " + rows * 100 + "%";
            strip.style.backgroundPosition = "0% " + (rows > 1 ? row / (rows - 1) * 100 : 0) + "%";
            strips.append(strip);
        }
    }
}

for (const walk of document.querySelectorAll(".walk")) {
    const points = +walk.dataset.points, names = walk.dataset.at ? walk.dataset.at.split(" ") : null;
    const slider = walk.querySelector("input"), label = walk.querySelector("output");
    const play = walk.querySelector(".play"), frames = walk.querySelectorAll(".frames .frame");
    let timer = 0, direction = 1;
    const show = () => {
        label.textContent = names ? names[+slider.value] : (+slider.value + 1) + " / " + points;
        frames.forEach(frame => showPoint(frame, +slider.value));
    };
    const stop = () => {
        clearInterval(timer);
        timer = 0;
        play.textContent = "Play";
        play.setAttribute("aria-pressed", "false");
    };
    const advance = () => {
        if (+slider.value + direction < 0 || +slider.value + direction >= points)
            direction = -direction;
        slider.value = +slider.value + direction;
        show();
    };
    slider.addEventListener("input", () => { stop(); show(); });
    play.addEventListener("click", () => {
        if (timer)
            return stop();
        timer = setInterval(advance, Math.max(40, Math.min(160, 3000 / points)));
        play.textContent = "Pause";
        play.setAttribute("aria-pressed", "true");
    });
    walk.querySelector("details").addEventListener("toggle", () => makeStrips(walk, frames), {once: true});
    show();
}

/* A curve, and without names the two edges of the band around it, the second filled up to the first. */
function lineSets(line, colour) {
    const edge = sign => ({
        data: line.points.map(([x, y], i) => ({x, y: y + sign * line.spread[i][1]})),
        borderWidth: 0,
        pointRadius: 0,
        backgroundColor: colour + "2a",
        fill: sign > 0 ? "-1" : false,
    });
    return [{
        label: line.label,
        data: line.points.map(([x, y]) => ({x, y})),
        borderColor: colour,
        backgroundColor: colour,
        borderWidth: 1.5,
        pointRadius: line.points.length > 1 ? 0 : 3,
    }].concat(line.spread ? [edge(-1), edge(1)] : []);
}

/* Curves take their colours from the page, and again when the reader changes between light and dark. */
const data = document.getElementById("chart-data");
if (data) {
    const charts = Object.values(JSON.parse(data.textContent));
    const canvases = document.querySelectorAll(".chart canvas");
    const colours = ["#1f77d0", "#e07b00", "#2a9d4b", "#c93c3c", "#8a5bc7", "#8a6a4a", "#d257a5", "#6b7684"];
    let drawn = [];
    const draw = () => {
        const style = getComputedStyle(document.documentElement);
        Chart.defaults.color = style.getPropertyValue("--quiet");
        Chart.defaults.borderColor = style.getPropertyValue("--line");
        drawn.forEach(chart => chart.destroy());
        drawn = charts.map((chart, i) => new Chart(canvases[i], {
            type: "line",
            data: {datasets: chart.lines.flatMap((line, k) => lineSets(line, colours[k % colours.length]))},
            options: {
                animation: false,
                maintainAspectRatio: false,
                interaction: {mode: "nearest", axis: "x", intersect: false},
                scales: {x: {type: "linear", ticks: {maxTicksLimit: 7}}, y: {ticks: {maxTicksLimit: 6}}},
                plugins: {
                    legend: {display: chart.lines.length > 1, labels: {boxWidth: 12, filter: item => item.text}},
                    tooltip: {filter: item => item.dataset.label},
                },
            },
        }));
    };
    draw();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
