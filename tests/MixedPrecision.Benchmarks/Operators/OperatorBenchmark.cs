namespace MixedPrecision.Benchmarks.Operators;

/// <summary>
/// ONNX's operator test suite through `gradient`: each model below a folder that has a floating input gets a random projection of its floating outputs as
/// the loss, and each gradient is compared with differences.
/// </summary>
internal static class OperatorBenchmark
{
    private static readonly Outcome[] Columns = Enum.GetValues<Outcome>();

    /// <param name="root">The folder.</param>
    /// <param name="filter">Only models whose folder's name contains this; or null.</param>
    public static int Run(string root, string? filter)
    {
        string scratch = Directory.CreateTempSubdirectory("operators").FullName;
        var table = new SortedDictionary<string, int[]>(StringComparer.Ordinal);
        try
        {
            foreach (ModelFolder folder in ModelFolder.Below(root).Where(f => f.HasFloats && (filter is null || f.Name.Contains(filter, StringComparison.Ordinal))))
            {
                var check = new ModelCheck(folder, scratch);
                Outcome outcome = check.Run();
                foreach (string note in check.Notes)
                {
                    Console.WriteLine($"{folder.Name}: {string.Join(' ', note.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}");
                }

                if (!table.TryGetValue(folder.Operators, out int[]? counts))
                {
                    table.Add(folder.Operators, counts = new int[Columns.Length]);
                }

                counts[(int)outcome]++;
            }
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }

        Print(table);
        return table.Values.Any(c => c[(int)Outcome.Wrong] > 0) ? 1 : 0;
    }

    private static void Print(SortedDictionary<string, int[]> table)
    {
        Console.WriteLine();
        Console.WriteLine("| operator | models | right | right, lowered only | right but for kinks | wrong | refused | not run by ONNX Runtime | no floating output |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        void Row(string name, IEnumerable<int> counts) => Console.WriteLine($"| {name} | {counts.Sum()} | {string.Join(" | ", counts)} |");
        foreach ((string name, int[] counts) in table)
        {
            Row(name, counts);
        }

        Row("all", Columns.Select(c => table.Values.Sum(v => v[(int)c])));
    }
}
