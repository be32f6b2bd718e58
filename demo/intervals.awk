# intervals.awk - csv of mmood eval to a table: value and bootstrap interval, in per cent. With -v only=SCORE
# just this one, with -v name=NAME under that name, with -v bare=1 without the header, whose
# first title is "score" or that of -v first=TITLE.
BEGIN { FS = "," }
NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
$at["type"] == "result" && (only == "" || $at["score"] == only) {
    score = name == "" ? $at["score"] : name; set = $at["set"]
    if (!(score in seen)) { seen[score] = 1; order[++scores] = score }
    for (m = 1; m <= 2; m++) {
        what = m == 1 ? "fpr95" : "auroc"
        cell[score, set, m] = sprintf("%5.1f [%5.1f, %5.1f]", 100 * $at[what], 100 * $at[what "_low"], 100 * $at[what "_high"])
    }
}
END {
    if (!bare)
        printf "%-15s  %-20s  %-20s  %-20s  %-20s\n", first == "" ? "score" : first, "far FPR95", "far AUROC", "near FPR95", "near AUROC"
    for (i = 1; i <= scores; i++)
        printf "%-15s  %s  %s  %s  %s\n", order[i], cell[order[i], "far", 1], cell[order[i], "far", 2], \
            cell[order[i], "near", 1], cell[order[i], "near", 2]
}
