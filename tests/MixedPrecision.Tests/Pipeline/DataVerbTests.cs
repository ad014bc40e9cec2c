using System.Text.Json;
using Google.Protobuf;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;
using MixedPrecision.Tests.Data;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Calibration data of what a person has.</summary>
public sealed class DataVerbTests : IDisposable
{
    private const string Vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nsat\n";

    private static readonly Dimension Batch = new(null, "batch");

    private readonly TemporaryFolder folder = new();
    private readonly List<Diagnostic> warnings = [];

    public void Dispose() => folder.Dispose();

    /// <summary>A table of sentences becomes two files that have no sample in common, and is chosen from alike each time.</summary>
    [Fact]
    public void SentencesOfATable()
    {
        WriteTextModel();
        Write("vocab.txt", Vocabulary);
        string[] words = ["the", "cat", "sat"];
        Write("s.csv", "text,label\n" + string.Concat(Enumerable.Range(0, 300).Select(i => $"\"{Sentence(i)}\",{i % 3}\n")) + "\"the\",0\n");

        DataReport made = Make(["s.csv"], request => request with { Samples = 100, Evaluation = "e.jsonl" });

        Assert.Equal([("c.jsonl", 100), ("e.jsonl", 200)], made.Files.Select(f => (Path.GetFileName(f.File), f.Samples)));
        Assert.Equal((300, 1), (made.Different, made.Repeated));
        Assert.Equal(301, Assert.Single(made.Sources).Samples);
        Assert.Contains($"text from the column 'text', with the tokenizer {folder.Combine("vocab.txt")}", made.Sources[0].What, StringComparison.Ordinal);
        Assert.Equal("[1, 3–8]", made.Inputs["input_ids"]);
        Sample[] calibration = Samples("c.jsonl"), evaluation = Samples("e.jsonl");
        Assert.Equal(300, calibration.Concat(evaluation).Select(SampleChecks.Hash).Distinct().Count());
        // By chance, not in order.
        Assert.NotEqual(calibration.Select(s => s.Inputs["input_ids"].Shape[1]).Order(), calibration.Select(s => s.Inputs["input_ids"].Shape[1]));
        Assert.All(calibration, s => Assert.InRange(s.Label!.Values<long>()[0], 0, 2));

        byte[] first = File.ReadAllBytes(folder.Combine("c.jsonl"));
        Make(["s.csv"], request => request with { Samples = 100, Evaluation = "e.jsonl" });
        Assert.Equal(first, File.ReadAllBytes(folder.Combine("c.jsonl")));
        Assert.Contains(made.ToLines(), l => l.StartsWith("policy: calibration: { data: ", StringComparison.Ordinal) && l.Contains("labels: label }, evaluation: { data: ", StringComparison.Ordinal));
        using JsonDocument json = JsonDocument.Parse(made.ToJson());
        Assert.Equal(100, json.RootElement.GetProperty("files")[0].GetProperty("samples").GetInt32());

        // The number in base three, as words: all differ, and none is "the" alone but the first.
        string Sentence(int i) => string.Join(' ', Digits(i).Select(digit => words[digit]));
        static IEnumerable<int> Digits(int i) => i < 3 ? [i] : [.. Digits(i / 3), i % 3];
    }

    [Fact]
    public void ATokenizerOfAnotherModelIsFoundOut()
    {
        WriteTextModel(rows: 6);
        Write("vocab.txt", Vocabulary);
        Write("lines.txt", "the\nthe cat\n");
        Diagnostic error = Fails(["lines.txt"]);
        Assert.Equal((Codes.DataBeyondTable, 2), (error.Code, error.Place.Line!.Value));
        Assert.Contains("found 6, and the model's table has 6 rows", error.Message, StringComparison.Ordinal);
        File.Delete(folder.Combine("vocab.txt"));
        Assert.Equal(Codes.TokenizerUnusable, Fails(["lines.txt"]).Code);
        Assert.Contains("--tokenizer", Fails(["lines.txt"]).Message, StringComparison.Ordinal);
    }

    /// <summary>Sub-folders are classes; an image that is there twice is taken once, and none is in both files.</summary>
    [Fact]
    public void ImagesOfAFolder()
    {
        WriteModel(new TensorType(ElementType.Float, [Batch, Dimension.Of(3), Dimension.Of(4), Dimension.Of(4)]));
        for (int i = 0; i < 12; i++)
        {
            Pictures.WritePng(folder.Combine("images", i % 2 == 0 ? "cat" : "dog", $"{i}.png"), 4, 4, [.. Enumerable.Range(0, 48).Select(p => (byte)(p + (i == 3 ? 1 : i)))]);
        }

        DataReport made = Make(["images"], request => request with { Evaluation = "e.jsonl", Images = "scale: 1, mean: 2" });
        Assert.Equal((11, 1), (made.Files.Sum(f => f.Samples), made.Repeated));
        Assert.Equal(["cat", "dog"], made.Classes["label"]);
        Sample[] all = [.. Samples("c.jsonl"), .. Samples("e.jsonl")];
        Assert.Equal(11, all.Select(SampleChecks.Hash).Distinct().Count());
        // The first pixel is the image's number, less the mean.
        Assert.All(all.Where(s => s.Inputs["x"].Values<float>()[0] != -1), s => Assert.Equal((long)(s.Inputs["x"].Values<float>()[0] + 2) % 2, s.Label!.Values<long>()[0]));
    }

    [Fact]
    public void RecordedInputsAndArraysTogether()
    {
        WriteModel(new TensorType(ElementType.Float, [Batch, Dimension.Of(2)]));
        Write("a.jsonl", "{\"x\": [[1, 2]], \"more\": 5}\n{\"x\": [[3, 4]]}\n");
        Write("b.csv", "x\n\"[5, 6]\"\n\"[1, 2]\"\n");
        DataReport made = Make(["a.jsonl", "b.csv"]);
        Assert.Equal([[1f, 2], [3f, 4], [5f, 6]], Samples("c.jsonl", null).Select(s => s.Inputs["x"].Values<float>().ToArray()).OrderBy(v => v[0]));
        Assert.Equal(1, made.Repeated);
        Assert.Empty(made.Labels);
        Assert.Contains(made.ToLines(), l => l.StartsWith("note: no labels", StringComparison.Ordinal));
        Assert.Contains(made.ToLines(), l => l.StartsWith("note: these are few", StringComparison.Ordinal));
    }

    /// <summary>Labels are taken where all of the data have them, and classes of tables are numbered over all of these.</summary>
    [Fact]
    public void LabelsOfSeveralSources()
    {
        WriteModel(new TensorType(ElementType.Float, [Batch, Dimension.Of(1)]));
        Write("a.csv", "x,label\n1,dog\n2,cat\n");
        Write("b.csv", "x,label\n3,emu\n4,cat\n");
        Write("c.csv", "x\n5\n");
        DataReport made = Make(["a.csv", "b.csv"]);
        Assert.Equal(["cat", "dog", "emu"], made.Classes["label"]);
        Assert.Equal([(1f, 1L), (2f, 0L), (3f, 2L), (4f, 0L)], Samples("c.jsonl").Select(s => (s.Inputs["x"].Values<float>()[0], s.Label!.Values<long>()[0])).Order());
        Assert.Contains(made.ToLines(), l => l.EndsWith("0 cat, 1 dog, 2 emu", StringComparison.Ordinal));
        Assert.Contains(Make(["a.csv", "c.csv"]).Notes, n => n.Contains("no labels", StringComparison.Ordinal) && n.Contains("c.csv", StringComparison.Ordinal));
        Assert.Equal(Codes.DataMissingKey, Fails(["a.csv", "c.csv"], request => request with { Labels = ["label"] }).Code);
    }

    /// <summary>Neither file is replaced by a run that fails or is cancelled, and nothing is left beside them.</summary>
    [Fact]
    public void NothingHalfWrittenStays()
    {
        WriteModel(new TensorType(ElementType.Float, [Batch, Dimension.Of(3), Dimension.Of(4), Dimension.Of(4)]));
        for (int i = 0; i < 9; i++)
        {
            Pictures.WritePng(folder.Combine("images", $"{i}.png"), 4, 4, [.. Enumerable.Range(0, 48).Select(p => (byte)(p + i))]);
        }

        Write("c.jsonl", "mine");
        using var cancel = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => Verbs.Data(Request(["images"]) with { Evaluation = folder.Combine("e.jsonl") }, new RunOptions(null, null, update =>
        {
            if (update.Fraction > 0.8)
            {
                cancel.Cancel();
            }
        }, warnings.Add, cancel.Token)));
        File.WriteAllBytes(folder.Combine("images", "broken.png"), [1, 2, 3]);
        Assert.Equal(Codes.DataImageInvalid, Fails(["images"], request => request with { Evaluation = folder.Combine("e.jsonl") }).Code);
        Assert.Equal("mine", File.ReadAllText(folder.Combine("c.jsonl")));
        Assert.Equal(["c.jsonl", "model.onnx"], Directory.GetFiles(folder.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void WhatCannotBeMadeSaysWhy()
    {
        WriteModel(new TensorType(ElementType.Float, [Batch, Dimension.Of(2)]));
        Write("one.jsonl", "{\"x\": [[1, 2]]}\n");
        Write("none.jsonl", "\n");
        Write("other.parquet", "");
        Assert.Equal(Codes.DataNotFound, Fails(["absent.jsonl"]).Code);
        Assert.Equal(Codes.DataEmpty, Fails(["none.jsonl"]).Code);
        Assert.Contains("'.csv'", Fails(["other.parquet"]).Message, StringComparison.Ordinal);
        Assert.Equal(Codes.DataEmpty, Fails(["one.jsonl"], request => request with { Evaluation = folder.Combine("e.jsonl") }).Code);
        Assert.Equal(Codes.OutputOverwrites, Fails(["one.jsonl"], request => request with { Output = folder.Combine("one.jsonl") }).Code);
        Assert.Equal(Codes.OutputOverwrites, Fails(["one.jsonl"], request => request with { Output = folder.Combine("model.onnx") }).Code);
        Assert.Equal(Codes.PolicyUnknownKey, Fails(["one.jsonl"], request => request with { Images = "resise: 3" }).Code);
        Make(["one.jsonl"]);
        Assert.Contains(warnings, w => w.Code == Codes.SingleSample);
    }

    private DataRequest Request(string[] from) => new(folder.Combine("model.onnx"), [.. from.Select(f => folder.Combine(f))], folder.Combine("c.jsonl"));

    private DataReport Make(string[] from, Func<DataRequest, DataRequest>? with = null)
    {
        DataRequest request = (with ?? (r => r))(Request(from));
        return Verbs.Data(request with { Evaluation = request.Evaluation is { } file ? folder.Combine(file) : null }, new RunOptions(null, null, _ => { }, warnings.Add, TestContext.Current.CancellationToken));
    }

    private Diagnostic Fails(string[] from, Func<DataRequest, DataRequest>? with = null) => Assert.Throws<MixedPrecisionException>(() => Make(from, with)).Diagnostic;

    private Sample[] Samples(string file, string? label = "label")
    {
        using OnnxModel model = OnnxModel.Load(folder.Combine("model.onnx"));
        return [.. SampleReader.Read(folder.Combine(file), file, [.. model.Inputs.Select(InputDeclaration.Of)], label, null)];
    }

    private void Write(string file, string text) => File.WriteAllText(folder.Combine(file), text);

    private void WriteModel(TensorType x)
    {
        var graph = new GraphProto { Name = "model", Input = { x.ToProto("x") } };
        graph.Output.Add(new TensorType(ElementType.Float, null).ToProto("y"));
        graph.Node.Add(new NodeProto { OpType = "Identity", Input = { "x" }, Output = { "y" } });
        Save(graph);
    }

    /// <summary>Tokens and their mask, and a table for the tokens.</summary>
    private void WriteTextModel(int rows = 8)
    {
        var row = new TensorType(ElementType.Int64, [Batch, new Dimension(null, "sequence")]);
        var graph = new GraphProto { Name = "model", Input = { row.ToProto("input_ids"), row.ToProto("attention_mask") } };
        graph.Output.Add(new TensorType(ElementType.Float, null).ToProto("y"));
        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph));
        builder.NodeTo(["y"], "Gather", "", [builder.Constant(Tensor.Of<float>(new float[rows * 2], rows, 2), "table"), "input_ids"]);
        builder.AppendTo(graph);
        Save(graph);
    }

    private void Save(GraphProto graph)
    {
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        File.WriteAllBytes(folder.Combine("model.onnx"), model.ToByteArray());
    }
}
