using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace MixedPrecision.EndToEnd.Tests;

/// <summary>A process that ran to its end.</summary>
internal sealed record ProcessRun(int ExitCode, string Output, string Error)
{
    /// <summary>Full path of the <c>dotnet</c> whose runtime runs this.</summary>
    public static string DotnetHost { get; } = Path.GetFullPath("../../../dotnet", RuntimeEnvironment.GetRuntimeDirectory());

    public string All => Output + Error;

    /// <summary>Runs <c>dotnet</c> without what the test run's own MSBuild left in the environment.</summary>
    public static ProcessRun Dotnet(string folder, params string[] arguments) => Dotnet(folder, [], arguments);

    /// <summary>The same with variables of the environment set, or where null unset.</summary>
    public static ProcessRun Dotnet(string folder, IReadOnlyList<(string Name, string? Value)> environment, params string[] arguments)
    {
        using Process process = StartDotnet(folder, environment, arguments);
        return End(process);
    }

    /// <summary>Runs a program in a folder.</summary>
    public static ProcessRun Of(string program, string folder, IReadOnlyList<(string Name, string? Value)> environment, params string[] arguments)
    {
        using Process process = Start(program, folder, environment, arguments);
        return End(process);
    }

    /// <summary>What a process wrote, once it has ended.</summary>
    public static ProcessRun End(Process process)
    {
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new ProcessRun(process.ExitCode, output, error.Result);
    }

    public static Process StartDotnet(string folder, params string[] arguments) => StartDotnet(folder, [], arguments);

    public static Process StartDotnet(string folder, IReadOnlyList<(string Name, string? Value)> environment, params string[] arguments) => Start("dotnet", folder, environment, arguments);

    private static Process Start(string program, string folder, IReadOnlyList<(string Name, string? Value)> environment, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToArray())
        {
            start.Environment.Remove(name);
        }
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        start.Environment["MSBUILDTERMINALLOGGER"] = "off";
        foreach ((string name, string? value) in (IEnumerable<(string, string?)>)[.. CompilerServer.Properties, .. environment])
        {
            start.Environment[name] = value;
        }
        return Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
    }
}
