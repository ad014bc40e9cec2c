using System.Text.Json;
using System.Xml.Linq;
using MixedPrecision.EndToEnd.Tests.Cli;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>The package's source that records what an app feeds a session.</summary>
public sealed class RecorderTests : IDisposable
{
    private readonly SmallModel model = new();

    /// <summary>It compiles under strict rules in the C# of .NET 8, and the tool reads what it writes.</summary>
    [Fact]
    public void An_app_records_its_inputs_and_the_tool_makes_data_of_them()
    {
        string runtime = XElement.Load(Repository.Path("Directory.Packages.props")).Descendants("PackageVersion").Single(p => p.Attribute("Include")!.Value == "Microsoft.ML.OnnxRuntime").Attribute("Version")!.Value;
        string app = Directory.CreateDirectory(model["My App"]).FullName;
        File.WriteAllText(Path.Combine(app, "App.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <MixedPrecisionRecorder>true</MixedPrecisionRecorder>
                <LangVersion>12</LangVersion>
                <Nullable>enable</Nullable>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <GenerateDocumentationFile>true</GenerateDocumentationFile>
                <AnalysisMode>All</AnalysisMode>
                <NuGetAudit>false</NuGetAudit>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="Microsoft.ML.OnnxRuntime" Version="{runtime}" />
              </ItemGroup>
              <Import Project="{Repository.Path("build/MixedPrecision.Build.props")}" />
              <Import Project="{Repository.Path("build/MixedPrecision.Build.targets")}" />
            </Project>
            """);
        File.WriteAllText(Path.Combine(app, "Program.cs"), """
                #pragma warning disable
                using System;
                using System.Collections.Generic;
                using System.Linq;
                using System.Threading.Tasks;
                using Microsoft.ML.OnnxRuntime;
                using Microsoft.ML.OnnxRuntime.Tensors;

                using var session = new InferenceSession(args[0]);
                using var recorder = new MixedPrecision.InputRecorder(args[1], samples: 20);
                using var options = new RunOptions();
                for (int i = 0; i < 100; i++)
                {
                    Run(i);
                }

                Parallel.For(100, 200, Run);
                void Run(int i)
                {
                    float[] values = Enumerable.Range(0, 64).Select(v => (v + i) / 64f).ToArray();
                    if (i % 2 == 0)
                    {
                        NamedOnnxValue[] inputs = [NamedOnnxValue.CreateFromTensor("x", new DenseTensor<float>(values, [1, 64]))];
                        recorder.Record(inputs);
                        using var results = session.Run(inputs);
                    }
                    else
                    {
                        using OrtValue value = OrtValue.CreateTensorValueFromMemory(values, [1, 64]);
                        var inputs = new Dictionary<string, OrtValue> { ["x"] = value };
                        recorder.Record(inputs);
                        using var results = session.Run(options, inputs, ["logits"]);
                    }
                }

                recorder.Record([NamedOnnxValue.CreateFromTensor("x", new DenseTensor<float>(new[] { float.NaN }, [1, 1]))]);
                recorder.Record([NamedOnnxValue.CreateFromTensor("x", new DenseTensor<string>(new[] { "text" }, [1, 1]))]);
                Console.WriteLine(recorder.Problem);
                using var refused = new MixedPrecision.InputRecorder("\0");
                refused.Record([NamedOnnxValue.CreateFromTensor("x", new DenseTensor<float>(new[] { 1f }, [1, 1]))]);
                Console.WriteLine(refused.Problem is not null);
                """);
        string captured = model["captured.jsonl"];
        ProcessRun run = ProcessRun.Dotnet(app, "run", "--", model["model.onnx"], captured);
        Assert.True(run.ExitCode == 0, run.All);
        string[] said = run.Output.TrimEnd().Split('\n');
        Assert.Equal("True", said[^1].TrimEnd());
        Assert.NotEmpty(said[^2].Trim());
        string[] lines = File.ReadAllLines(captured);
        Assert.Equal(20, lines.Length);
        Assert.All(lines, line =>
        {
            using JsonDocument sample = JsonDocument.Parse(line);
            Assert.Equal(["x"], sample.RootElement.EnumerateObject().Select(p => p.Name));
        });
        // Of all runs, not the first ones.
        Assert.Contains(lines, line => line.Contains("1.5625", StringComparison.Ordinal));
        Assert.Empty(Directory.GetFiles(model.Folder, "*.tmp", SearchOption.AllDirectories));

        ProcessRun made = model.Tool("data", model["model.onnx"], captured, "-o", model["made.jsonl"], "--evaluation", model["held.jsonl"], "--json");
        Assert.True(made.ExitCode == 0, made.All);
        using JsonDocument report = JsonDocument.Parse(made.Output);
        Assert.Equal([15, 5], report.RootElement.GetProperty("files").EnumerateArray().Select(file => file.GetProperty("samples").GetInt32()));
    }

    public void Dispose() => model.Dispose();
}
