using Google.Protobuf;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>What is shipped when nothing can be gained, and what is said of it.</summary>
public class GuaranteeTests
{
    [Theory]
    [InlineData("0.0000001%", "objective: memory", "nothing gains within the budget")]
    [InlineData("1%", "formats: [ fp32 ]", "no layer has a format to choose")]
    public void WhereNothingIsGainedTheOriginalIsShippedByteForByte(string budget, string more, string why)
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy(budget, more);
        QuantizeResult result = folder.Quantize();
        Assert.Equal(File.ReadAllBytes(folder["model.onnx"]), File.ReadAllBytes(result.Files[0]));
        Assert.Equal(("original", why), (result.Manifest.Shipped.What, result.Manifest.Shipped.Why));
        Diagnostic warning = Assert.Single(folder.Warnings, w => w.Code == Codes.NothingGained);
        Assert.Contains(why, warning.Message);
        Assert.Contains(warning.Message, result.Manifest.Warnings);
        Assert.Equal((0, 0), (result.Manifest.Measured.RelativeLossError, result.Manifest.Samples.Evaluation));
    }

    [Fact]
    public void WithoutAChoiceNothingIsCalibratedTimedOrVerified()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "formats: [ fp32 ]");
        Manifest manifest = folder.Quantize().Manifest;
        Assert.Empty(folder.Log);
        Assert.Null(manifest.Loss);
        Assert.Null(manifest.Solver);
    }

    [Fact]
    public void TheManifestTellsEveryAttempt()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "objective: memory");
        Manifest manifest = folder.Quantize().Manifest;
        Assert.Equal("plan", manifest.Shipped.What);
        Assert.NotEmpty(manifest.Attempts);
        Assert.Equal(0.01, manifest.Budget.StatedTau);
        PlanAttempt last = manifest.Attempts[^1];
        Assert.True(last.WithinBudget);
        Assert.Equal(manifest.Budget.SolvedTau, last.Tau);
        Assert.Equal(manifest.Measured.RelativeLossError, last.Measured);
        Assert.Equal(manifest.Predicted.LossMse, last.PredictedLossMse);
        Assert.Equal("bytes", manifest.Predicted.Gain.Unit);
        Assert.All(manifest.Strategies, s => Assert.True(s.WithinBudget));
    }

    /// <summary>An exporter's habit: constants alone may make a model faster, which is measured and counted as what it is.</summary>
    [Fact]
    public void WhereAllInitializersAreInputsTheModelWithConstantsCompetes()
    {
        using var folder = new PipelineFolder();
        ModelProto model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder["model.onnx"]));
        model.Graph.Input.AddRange(model.Graph.Initializer.Select(i => new TensorType(i.DataType, [.. i.Dims.Select(Dimension.Of)]).ToProto(i.Name)));
        File.WriteAllBytes(folder["model.onnx"], model.ToByteArray());
        folder.WritePolicy("1%", "formats: [ fp32 ]");
        QuantizeResult result = folder.Quantize();
        ComparedModel exact = Assert.Single(result.Manifest.Compared);
        Assert.Equal("exact", exact.Name);
        Assert.InRange(exact.RelativeLossError, 0, 1e-4);
        Assert.NotNull(exact.MeasuredGain);
        using OnnxModel shipped = OnnxModel.Load(result.Files[0], keepDefaults: true);
        if (result.Manifest.Shipped.What == "exact")
        {
            Assert.Equal(["x"], shipped.Graph.Input.Select(i => i.Name));
            Assert.DoesNotContain(folder.Warnings, w => w.Code == Codes.NothingGained);
        }
        else
        {
            Assert.Equal(File.ReadAllBytes(folder["model.onnx"]), File.ReadAllBytes(result.Files[0]));
            Assert.Contains(folder.Warnings, w => w.Code == Codes.NothingGained);
        }

        folder.WritePolicy("1%", "formats: [ fp32 ]\ndefaults: keep");
        Assert.Empty(folder.Quantize().Manifest.Compared);
    }

    /// <summary>Computed anew although they are cached, all stages make what they made, so that their keys hold all that they read.</summary>
    [Theory]
    [InlineData("1%", "objective: memory")]
    [InlineData("{ lossIncrease: 5% }", "objective: theoretical-time")]
    public void EveryStageMakesTheSameTwice(string budget, string more)
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy(budget, more);
        string first = folder.Quantize().ToJson();
        string[] stages = [.. folder.Log.Where(l => l.EndsWith("started", StringComparison.Ordinal)).Distinct()];
        QuantizeResult again = Verbs.Quantize(folder.PolicyFile, folder["again"], folder.Options() with { Recomputes = true });
        Assert.Equal(stages, folder.Log.Where(l => l.EndsWith("started", StringComparison.Ordinal)).Distinct());
        string[] expected = ["calibrate started", "solve started", "quantize started", "evaluate started", "strategies started", "compare started"];
        Assert.Empty(expected.Except(stages));

        // Times differ from run to run; all else does not.
        Manifest before = System.Text.Json.JsonSerializer.Deserialize<Manifest>(first, ManifestJson)!, after = again.Manifest;
        Assert.Equal(before.Output, after.Output);
        Assert.Equal(before.Measured.LossMse, after.Measured.LossMse);
    }

    [Fact]
    public void AStageThatMakesSomethingElseFromTheSameInputsIsFound()
    {
        using var folder = new PipelineFolder();
        int made = 0;
        var stage = new Stage<MadeUpInput, int>("made-up", 1, (_, _) => ++made);
        var input = new MadeUpInput("x", 3);
        Assert.Equal(1, Runner(folder, false).Get(stage, input));
        Assert.Equal(1, Runner(folder, false).Get(stage, input));
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => Runner(folder, true).Get(stage, input));
        Assert.Contains("(Name, x), (Numbers.Value, 3)", error.Message);
        Assert.Equal(4, Runner(folder, true).Get(stage with { IsClocked = true, Run = (_, _) => 4 }, input));
    }

    [Fact]
    public void TheKeyHoldsEveryPropertyThatIsNotIncidental()
    {
        Assert.Equal([("Name", "x"), ("Numbers.Value", "3")], StageKey.Of(new MadeUpInput("x", 3) { Threads = 5 }).Describe());
        Assert.NotEqual(StageKey.Of(new MadeUpInput("x", 3)).Hex, StageKey.Of(new MadeUpInput("x", 4)).Hex);
        Assert.Throws<ArgumentException>(() => StageKey.Of(new Unkeyed(new object())));
    }

    [Fact]
    public void ThePartsOfKeysCanBeShown()
    {
        using var folder = new PipelineFolder();
        var said = new List<string>();
        Verbs.Calibrate(folder.PolicyFile, folder.Options() with { ShowKeys = true, Progress = update => said.Add(update.Text) });
        Assert.Contains(said, text => text.StartsWith("key: Model.model ", StringComparison.Ordinal) && text.Contains("Kernels.Runtime 1.", StringComparison.Ordinal));
    }

    /// <summary>A budget that is not on the loss error is judged by measuring, also where rules leave no other choice.</summary>
    [Fact]
    public void RulesThatLeadOverTheBudgetAreAnError()
    {
        using var folder = new PipelineFolder();
        folder.WriteModel(weightSeed: 3, scale: 8);
        folder.WriteData("evaluation.jsonl", seed: 5, samples: 400);
        folder.WritePolicy("{ lossIncrease: 0 }", "objective: memory\nlayers: [ { match: \"*\", format: int4-weight } ]");

        // Against its own most likely class, which it is sure of, a model can only lose.
        File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace(", labels: label", "", StringComparison.Ordinal));
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Diagnostic;
        Assert.Equal(Codes.RulesOverBudget, error.Code);
        Assert.False(Directory.Exists(folder["out"]));
    }

    private static readonly System.Text.Json.JsonSerializerOptions ManifestJson = new(System.Text.Json.JsonSerializerDefaults.Web)
    {
        NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private static StageRunner Runner(PipelineFolder folder, bool recomputes) =>
        new(new ContentStore(folder["cache"]), new RunLog(folder.Options() with { Recomputes = recomputes }));

    private sealed record MadeUpInput(string Name, MadeUpNumbers Numbers)
    {
        public MadeUpInput(string name, int number)
            : this(name, new MadeUpNumbers(number))
        {
        }

        [Incidental]
        public int Threads { get; init; }
    }

    private sealed record MadeUpNumbers(int Value);

    private sealed record Unkeyed(object Value);
}
