using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Benchmarks;

/// <summary>What ships for every shared model and case, as a table: a run of the whole path for each of their policies.</summary>
internal static class ShowBenchmark
{
    /// <param name="models">The folder of shared models.</param>
    /// <param name="cases">The folder in which each script of the shared cases has filled a folder of its own, called as the script is.</param>
    /// <param name="output">The folder for policies, emitted files and the cache.</param>
    /// <param name="names">Parts of names: only such rows are made. None: all.</param>
    /// <returns>1 when a run ended in something else than a model or a message with a code.</returns>
    public static int Run(string models, string cases, string output, string[] names)
    {
        bool isSound = true;
        Console.WriteLine(ShownRow.Head);
        foreach (ShownPolicy policy in ShownPolicies.OfModels(models, output).Concat(ShownPolicies.OfCases(cases, output)).Where(p => names.Length == 0 || names.Any(p.Name.Contains)))
        {
            var warnings = new List<Diagnostic>();
            var options = new RunOptions(Path.Combine(output, "cache"), null, _ => { }, warnings.Add, CancellationToken.None);
            string row;
            try
            {
                row = ShownRow.Of(policy.Name, Verbs.Quantize(policy.File, policy.Output, options).Manifest, warnings);
            }
            catch (MixedPrecisionException e)
            {
                row = ShownRow.Of(policy.Name, e.Diagnostic, warnings);
            }
            catch (Exception e)
            {
                Console.Error.WriteLine($"{policy.Name}: {e}");
                row = ShownRow.Crash(policy.Name, e);
                isSound = false;
            }

            Console.WriteLine(row.Replace(Path.GetFullPath(models) + Path.DirectorySeparatorChar, "").Replace(Path.GetFullPath(cases) + Path.DirectorySeparatorChar, ""));
            Console.Out.Flush();
        }

        return isSound ? 0 : 1;
    }
}
