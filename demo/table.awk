# table.awk - lines of measure.sh to a table: mean +- standard deviation over the draws, in per cent.
# The first column is headed "score", or by -v first=TITLE.
{
    key = $1 " " $2
    if (!($1 in seen)) { seen[$1] = 1; order[++scores] = $1 }
    n[key]++; f[key] += $3; ff[key] += $3 * $3; a[key] += $4; aa[key] += $4 * $4
}
function spread(sum, squares, n,   v) { v = n > 1 ? (squares - sum * sum / n) / (n - 1) : 0; return v > 0 ? sqrt(v) : 0 }
function cell(sum, squares, n) { return sprintf("%5.1f +- %4.1f", 100 * sum / n, 100 * spread(sum, squares, n)) }
END {
    printf "%-15s  %-29s  %-29s\n", "", "far: vehicles, tools, buildings", "near: fruits, plants, drinks, dishes"
    printf "%-15s  %-13s  %-13s   %-13s  %-13s\n", first == "" ? "score" : first, "FPR95", "AUROC", "FPR95", "AUROC"
    for (i = 1; i <= scores; i++) {
        k = order[i] " far"; m = order[i] " near"
        printf "%-15s  %s  %s   %s  %s\n", order[i], cell(f[k], ff[k], n[k]), cell(a[k], aa[k], n[k]), \
            cell(f[m], ff[m], n[m]), cell(a[m], aa[m], n[m])
    }
}
