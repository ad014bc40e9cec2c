using System.Globalization;
using System.Text;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>
/// An app whose policy goes to the fake tool, and a second app which refers to the first; restored and built once. The folder's
/// name has spaces and letters outside of ASCII, so that every test shows that such paths work.
/// </summary>
public sealed class AppFixture : IDisposable
{
    public const string Emitting = "emit\ndata.txt\n";
    public const string Model = "model.mixed.onnx";
    public const string Manifest = "model.mixed.precision.json";
    public const string Report = "model.mixed.report.html";
    public const string TextReport = "model.mixed.report.txt";

    private readonly string root = Directory.CreateTempSubdirectory("mixed précision test ").FullName;

    public AppFixture()
    {
        App = Path.Combine(root, "My App");
        string other = Path.Combine(root, "Other");
        Directory.CreateDirectory(App);
        Directory.CreateDirectory(other);
        Another = Path.Combine(root, "Another");
        Directory.CreateDirectory(Another);
        File.WriteAllText(Path.Combine(App, "Program.cs"), $"System.Console.WriteLine(System.IO.File.Exists(System.IO.Path.Combine(System.AppContext.BaseDirectory, \"{Model}\")));");
        File.WriteAllText(Path.Combine(Another, "Program.cs"), "System.Console.WriteLine(3);");
        File.WriteAllText(Path.Combine(other, "Program.cs"), "System.Console.WriteLine(2);");
        File.WriteAllText(Path.Combine(App, "App.csproj"), Project($"""
              <PropertyGroup>
                <MixedPrecisionPolicy Condition="'$(MixedPrecisionPolicy)' == ''">model.policy.yaml</MixedPrecisionPolicy>
                <MixedPrecisionToolPath>{Path.Combine(AppContext.BaseDirectory, "fake-tool.dll")}</MixedPrecisionToolPath>
                <MixedPrecisionTaskAssembly>{Path.Combine(AppContext.BaseDirectory, "MixedPrecision.Build.dll")}</MixedPrecisionTaskAssembly>
              </PropertyGroup>
              <Import Project="{Repository.Path("build/MixedPrecision.Build.props")}" />
              <Import Project="{Repository.Path("build/MixedPrecision.Build.targets")}" />
            """));
        string reference = Project("""
              <ItemGroup>
                <ProjectReference Include="../My App/App.csproj" />
              </ItemGroup>
            """);
        File.WriteAllText(Path.Combine(other, "Other.csproj"), reference);
        File.WriteAllText(Path.Combine(Another, "Another.csproj"), reference);
        WritePolicy(Emitting);
        WriteData("first");
        Other = other;
        ProcessRun built = ProcessRun.Dotnet(other, "build", "-c", "Release", "-nodeReuse:false");
        Assert.True(built.ExitCode == 0, built.All);
        BuiltLog = built.Output;
        built = ProcessRun.Dotnet(Another, "build", "-c", "Release", "-nodeReuse:false");
        Assert.True(built.ExitCode == 0, built.All);
    }

    /// <summary>The app's folder.</summary>
    public string App { get; }

    /// <summary>The folder of an app that refers to the first.</summary>
    public string Other { get; }

    /// <summary>The folder of one more such app.</summary>
    public string Another { get; }

    /// <summary>What the first build wrote.</summary>
    public string BuiltLog { get; }

    /// <summary>How often the fake tool ran since <see cref="Reset"/>.</summary>
    public int Runs => RunLines.Length;

    /// <summary>The fake tool's arguments, run by run.</summary>
    public string[] RunLines => File.Exists(RunsFile) ? File.ReadAllLines(RunsFile) : [];

    private string RunsFile => Path.Combine(App, "runs.txt");

    public string Published(string name) => Path.Combine(App, "out", name);

    public string Stage(string name) => Path.Combine(App, "obj", "Release", "net10.0", "mixed-precision", name);

    public void WritePolicy(string text) => Write("model.policy.yaml", text);

    public void WriteData(string text) => Write("data.txt", text);

    /// <summary>As if nothing had been published yet.</summary>
    public void Reset()
    {
        foreach (string folder in new[] { Path.Combine(App, "out"), Stage("") })
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        File.Delete(RunsFile);
        WritePolicy(Emitting);
        WriteData("first");
    }

    /// <summary>Publishes without a restore, into <c>out</c>.</summary>
    internal ProcessRun Publish(params string[] more) => Dotnet(["publish", "-o", "out", .. more]);

    internal ProcessRun Dotnet(params string[] arguments) =>
        ProcessRun.Dotnet(App, [.. arguments, "-c", "Release", "--no-restore", "-nodeReuse:false"]);

    /// <summary>Runs one target.</summary>
    internal ProcessRun Target(string name, params string[] more) =>
        ProcessRun.Dotnet(App, ["msbuild", "-t:" + name, "-p:Configuration=Release", "-nodeReuse:false", .. more]);

    public void Dispose() => Directory.Delete(root, recursive: true);

    private static string Project(string body) => $"""
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
          </PropertyGroup>
        {body}
        </Project>
        """;

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(App, name), text, new UTF8Encoding(false));

    /// <summary>Milliseconds that a target took, from the log's performance summary; null where it did not run.</summary>
    public static int? MillisecondsOf(string log, string target)
    {
        string? line = log.Split('\n').FirstOrDefault(line => line.Contains($" ms  {target} ", StringComparison.Ordinal));
        return line is null ? null : int.Parse(line.TrimStart().Split(' ')[0], CultureInfo.InvariantCulture);
    }
}
