/* report_style.c - the style sheet of the HTML report: light, dark, narrow, printed. Text has a
 * contrast of 4.5 to 1 at least; ID and OOD and curves differ in lightness or dashes as well as
 * hue. */
#include "eval/report_parts.h"

static const char colours[] =
    ":root{color-scheme:light dark;--page:#fff;--box:#f4f5f7;--line:#d4d8dd;--text:#1b1f24;"
    "--soft:#545d68;--link:#0a58a8;--id:#0a66b0;--ood:#b8500a;--warn:#fff4d6;--cut:#1b1f24;"
    "--c0:#0a66b0;--c1:#b8500a;--c2:#00775a;--c3:#a3408a;--c4:#7a6200;--c5:#3f8fd2;--c6:#5a5f66;"
    "--c7:#c02b3c}"
    "@media (prefers-color-scheme:dark){:root{--page:#14171b;--box:#1e2329;--line:#3a424c;"
    "--text:#e6e9ed;--soft:#a5afba;--link:#7fbcf5;--id:#64aef0;--ood:#f2985a;--warn:#3a3013;"
    "--cut:#e6e9ed;--c0:#64aef0;--c1:#f2985a;--c2:#3cc79d;--c3:#e08ac9;--c4:#d6ba3c;--c5:#9fd0f7;"
    "--c6:#b0b6be;--c7:#ff8a96}}";

static const char page[] =
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:76rem;padding:1rem;background:var(--page);color:var(--text);"
    "font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}"
    "h1{font-size:1.7rem;line-height:1.2;margin:.5rem 0}"
    "h2{font-size:1.25rem;margin:2.5rem 0 .5rem;border-top:1px solid var(--line);padding-top:1rem}"
    "h3{font-size:1.05rem;margin:1.5rem 0 .5rem}"
    "p{margin:.5rem 0;max-width:46rem}.soft,figcaption,small{color:var(--soft)}"
    "a{color:var(--link)}nav a{margin-right:1rem;white-space:nowrap}"
    ".lead{font-size:1.1rem}"
    ".warn{background:var(--warn);border-radius:6px;padding:.5rem 1rem;margin:1rem 0}"
    ".warn ul{margin:.25rem 0;padding-left:1.25rem}"
    "details{margin:1rem 0;border:1px solid var(--line);border-radius:6px;padding:0 .75rem}"
    "summary{cursor:pointer;padding:.5rem 0;font-weight:600}";

static const char tables[] =
    ".wide{overflow-x:auto;margin:.75rem 0}"
    "table{border-collapse:collapse;width:max-content;font-size:.9rem;overflow-wrap:normal}"
    "th,td{padding:.3rem .7rem;text-align:left;vertical-align:top;border-bottom:1px solid "
    "var(--line)}"
    "thead th{border-bottom:2px solid var(--line);white-space:nowrap}"
    "th[scope=row]{max-width:20rem;overflow-wrap:anywhere}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "td small{display:block}"
    "th[scope=rowgroup]{background:var(--box)}tr.mean{font-weight:600}"
    "td.path{min-width:14rem;max-width:34rem;overflow-wrap:anywhere}"
    "dl{display:grid;grid-template-columns:minmax(8rem,auto) 1fr;gap:.25rem 1rem;font-size:.9rem}"
    "dt{color:var(--soft)}dd{margin:0;min-width:0}";

static const char drawings[] =
    ".charts{display:flex;flex-wrap:wrap;gap:1rem 2rem;margin:1rem 0}"
    "figure{margin:0;flex:1 1 20rem;max-width:30rem;min-width:0}figure.square{max-width:22rem}"
    "figcaption{font-size:.9rem}figcaption ul{list-style:none;margin:.25rem 0;padding:0}"
    "svg.chart{display:block;width:100%;height:auto}svg text{font:12px system-ui,sans-serif;"
    "fill:var(--soft)}"
    ".axis{stroke:var(--soft);fill:none}.grid{stroke:var(--line);fill:none}"
    ".chance{stroke:var(--soft);fill:none;stroke-dasharray:2 4}"
    ".bars{fill-opacity:.28;stroke-width:1.5;stroke-linejoin:round}"
    ".bars.id{fill:var(--id);stroke:var(--id)}"
    ".bars.ood{fill:var(--ood);stroke:var(--ood);stroke-dasharray:5 2}"
    ".cut{stroke:var(--cut);stroke-width:1.5;stroke-dasharray:3 3;fill:none}"
    ".curve{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".c0{stroke:var(--c0)}.c1{stroke:var(--c1);stroke-dasharray:7 3}"
    ".c2{stroke:var(--c2);stroke-dasharray:2 2}.c3{stroke:var(--c3);stroke-dasharray:9 3 2 3}"
    ".c4{stroke:var(--c4)}.c5{stroke:var(--c5);stroke-dasharray:7 3}"
    ".c6{stroke:var(--c6);stroke-dasharray:2 2}.c7{stroke:var(--c7);stroke-dasharray:9 3 2 3}"
    ".swatch{width:36px;height:8px;margin-right:.4rem;vertical-align:middle}"
    ".key{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.3rem;"
    "border:2px solid;vertical-align:-1px}.key.id{background:var(--id);border-color:var(--id)}"
    ".key.ood{border-color:var(--ood);border-style:dashed}";

static const char gallery[] =
    ".gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(10rem,1fr));gap:1rem;"
    "list-style:none;padding:0;margin:1rem 0}"
    ".gallery li{background:var(--box);border-radius:6px;padding:.6rem;font-size:.85rem;"
    "min-width:0}"
    ".gallery img,.gallery .none{display:block;width:100%;height:8rem;object-fit:contain;"
    "background:#fff;border-radius:4px;margin-bottom:.4rem}"
    ".gallery .none{background:none;padding:.5rem;color:var(--soft);border:1px dashed "
    "var(--line);overflow-y:auto}"
    ".gallery p{margin:.25rem 0}"
    "@media (max-width:30rem){body{padding:.75rem}.gallery{grid-template-columns:1fr 1fr}"
    "dl{grid-template-columns:1fr}dd{margin-bottom:.5rem}}"
    "@media print{:root{--page:#fff;--box:#f4f5f7;--line:#bbb;--text:#000;--soft:#444;--id:#0a66b0;"
    "--ood:#b8500a;--cut:#000;--link:#000;--c0:#0a66b0;--c1:#b8500a;--c2:#00775a;--c3:#a3408a;"
    "--c4:#7a6200;--c5:#3f8fd2;--c6:#5a5f66;--c7:#c02b3c}"
    "body{max-width:none;font-size:11px}nav{display:none}.wide{overflow:visible}"
    "figure,li,tr{break-inside:avoid}h2,h3{break-after:avoid}}";

void mm_report_style(mm_buffer *out) {
    mm_buffer_puts(out, "<style>");
    mm_buffer_puts(out, colours);
    mm_buffer_puts(out, page);
    mm_buffer_puts(out, tables);
    mm_buffer_puts(out, drawings);
    mm_buffer_puts(out, gallery);
    mm_buffer_puts(out, "</style>\n");
}
