using System.Globalization;

[assembly: AssemblyFixture(typeof(MixedPrecision.EndToEnd.Tests.CompilerServer))]

namespace MixedPrecision.EndToEnd.Tests;

/// <summary>
/// The compiler's server, one for all apps that the tests make: a compiler that is started for each takes longer than all the rest of a publish. The first compilation starts it, as it does for users,
/// whose builds share one as well; MSBuild asks for none where its nodes are not reused.
/// </summary>
public sealed class CompilerServer : IDisposable
{
    private static readonly string Name = string.Create(CultureInfo.InvariantCulture, $"mixed-precision-tests-{Environment.ProcessId}");

    /// <summary>What a build reads of its environment to ask this server.</summary>
    internal static IReadOnlyList<(string Name, string? Value)> Properties { get; } = [("UseSharedCompilation", "true"), ("SharedCompilationId", Name)];

    /// <summary>Ends the server, which else would wait ten minutes more for work.</summary>
    public void Dispose()
    {
        string sdk = ProcessRun.Dotnet(Path.GetTempPath(), "--version").Output.Trim();
        string server = Path.Combine(Path.GetDirectoryName(ProcessRun.DotnetHost)!, "sdk", sdk, "Roslyn", "bincore", "VBCSCompiler.dll");
        ProcessRun.Dotnet(Path.GetTempPath(), "exec", server, "-shutdown", "-pipename:" + Name);
    }
}
